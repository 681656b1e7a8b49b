package deploytest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// checkImage reads a Dockerfile as BuildKit does and returns its faults.
func checkImage(doc string) (f faults) {
	tree, err := parser.Parse(bytes.NewReader([]byte(doc)))
	if err != nil {
		return faults{err.Error()}
	}
	stages, meta, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return faults{err.Error()}
	}
	if len(stages) != 2 || len(meta) != 0 {
		return faults{"not two stages"}
	}
	build, last := stages[0], stages[1]
	f.want(build.Name == "build" && build.BaseName == "golang:1.26.11-bookworm" && build.Platform == "$BUILDPLATFORM", "built with another Go")
	f.want(last.BaseName == "scratch" && last.Platform == "" && last.Name == "", "the base image is not empty")
	f.want(commands(build) == "arg arg workdir copy run copy run", "the build has other steps: "+commands(build))
	f.want(commands(last) == "label copy copy copy user cmd", "the image has other steps: "+commands(last))
	if len(f) > 0 {
		return f
	}
	args := build.Commands[0].(*instructions.ArgCommand).Args
	fips := build.Commands[1].(*instructions.ArgCommand).Args
	f.want(len(args) == 2 && args[0].Key == "TARGETOS" && args[1].Key == "TARGETARCH", "other arguments")
	f.want(len(fips) == 1 && fips[0].Key == "GOFIPS140" && fips[0].ValueString() == "off", "another default of GOFIPS140")
	f.want(build.Commands[2].(*instructions.WorkdirCommand).Path == "/src", "another folder")
	f = append(f, copies(build.Commands[3], "", "go.mod go.sum", "./", "")...)
	f = append(f, copies(build.Commands[5], "", ".", ".", "")...)
	f = append(f, runs(build.Commands[4], "go mod download", "/go/pkg/mod")...)
	f = append(f, runs(build.Commands[6], "CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOFIPS140=$GOFIPS140 "+
		`go build -trimpath -ldflags="-s -w" -o /out/ ./cmd/... && mkdir -p /empty`, "/go/pkg/mod", "/root/.cache/go-build")...)
	const roots = "/etc/ssl/certs/ca-certificates.crt"
	f = append(f, copies(last.Commands[1], "build", roots, roots, "")...)
	f = append(f, copies(last.Commands[2], "build", "/out/", "/", "")...)
	f = append(f, copies(last.Commands[3], "build", "/empty", "/config", "65532:65532")...)
	f.want(last.Commands[4].(*instructions.UserCommand).User == "65532:65532", "another user")
	cmd := last.Commands[5].(*instructions.CmdCommand)
	f.want(!cmd.PrependShell && slices.Equal(cmd.CmdLine, []string{"/rounds", "help"}), "another command, or one that needs a shell")
	var labels []string
	for _, l := range last.Commands[0].(*instructions.LabelCommand).Labels {
		v, _, err := shell.NewLex('\\').ProcessWord(l.Value, shell.EnvsFromSlice(nil))
		f.want(err == nil, "a label's value")
		labels = append(labels, l.Key+"="+v)
	}
	f.want(strings.Join(labels, " ") == "org.opencontainers.image.title=rounds "+
		"org.opencontainers.image.source=https://github.com/workflow-bolt/rounds org.opencontainers.image.licenses=Apache-2.0", "other labels")
	return f
}

func commands(s instructions.Stage) string {
	var names []string
	for _, c := range s.Commands {
		names = append(names, strings.ToLower(c.Name()))
	}
	return strings.Join(names, " ")
}

func copies(c instructions.Command, from, what, to, owner string) (f faults) {
	cp, ok := c.(*instructions.CopyCommand)
	f.want(ok && cp.From == from && strings.Join(cp.SourcePaths, " ") == what && cp.DestPath == to && cp.Chown == owner && cp.Chmod == "",
		"does not copy "+what)
	return f
}

func runs(c instructions.Command, line string, caches ...string) (f faults) {
	r, ok := c.(*instructions.RunCommand)
	if !ok {
		return faults{"does not run " + line}
	}
	err := r.Expand(func(word string) (string, error) { return word, nil })
	f.want(err == nil && strings.Join(strings.Fields(strings.Join(r.CmdLine, " ")), " ") == line, "runs another command than "+line)
	var targets []string
	for _, m := range instructions.GetMounts(r) {
		f.want(m.Type == instructions.MountTypeCache, "mounts something other than a cache")
		targets = append(targets, m.Target)
	}
	f.want(slices.Equal(targets, caches), "keeps other caches")
	return f
}

func TestImage(t *testing.T) {
	t.Parallel()
	doc := read(t, "deploy/cloudrun/Dockerfile")
	for _, fault := range checkImage(doc) {
		t.Error(fault)
	}
	tried := 0
	for i, line := range strings.Split(doc, "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			if word == `\` || word == "&&" {
				continue
			}
			lines := strings.Split(doc, "\n")
			lines[i] = strings.Replace(line, word, word+"x", 1)
			tried++
			if len(checkImage(strings.Join(lines, "\n"))) == 0 {
				t.Errorf("passes with an x after %q in line %d", word, i+1)
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d typos were tried", tried)
	}
}

// pipelines is the part of a collector's configuration that must be consistent.
type pipelines struct {
	Receivers  map[string]any `yaml:"receivers"`
	Processors map[string]any `yaml:"processors"`
	Exporters  map[string]any `yaml:"exporters"`
	Service    struct {
		Telemetry map[string]any `yaml:"telemetry"`
		Pipelines map[string]struct {
			Receivers  []string `yaml:"receivers"`
			Processors []string `yaml:"processors"`
			Exporters  []string `yaml:"exporters"`
		} `yaml:"pipelines"`
	} `yaml:"service"`
}

// checkCollector checks a collector's configuration for consistency. The collector's own decoder is
// not available as a module, so the options of components are checked only where this configuration
// uses them.
func checkCollector(doc []byte) error {
	var p pipelines
	if err := yaml.UnmarshalWithOptions(doc, &p, yaml.Strict()); err != nil {
		return err
	}
	used := map[string]bool{}
	for name, line := range p.Service.Pipelines {
		if name != "traces" && name != "metrics" {
			return errors.New("a pipeline of an unknown kind")
		}
		for what, uses := range map[string]struct {
			names []string
			known map[string]any
		}{"receiver": {line.Receivers, p.Receivers}, "processor": {line.Processors, p.Processors}, "exporter": {line.Exporters, p.Exporters}} {
			if len(uses.names) == 0 {
				return errors.New(name + " has no " + what)
			}
			for _, n := range uses.names {
				if _, ok := uses.known[n]; !ok {
					return errors.New("there is no " + what + " " + n)
				}
				used[what+n] = true
			}
		}
	}
	if len(p.Service.Pipelines) != 2 || len(used) != len(p.Receivers)+len(p.Processors)+len(p.Exporters) {
		return errors.New("a component is unused")
	}
	want := "map[batch:map[timeout:1s] memory_limiter:map[check_interval:1s limit_mib:192]] " +
		"map[debug:map[verbosity:basic] otlp/jaeger:map[endpoint:jaeger:4317 tls:map[insecure:true]]] " +
		"map[otlp:map[protocols:map[http:map[endpoint:0.0.0.0:4318]]]] map[metrics:map[level:none]]"
	if got := fmt.Sprint(p.Processors, p.Exporters, p.Receivers, p.Service.Telemetry); got != want {
		return errors.New("a component is configured differently: " + got)
	}
	return nil
}

func TestCollector(t *testing.T) {
	t.Parallel()
	doc := read(t, "deploy/compose/otel-collector.yaml")
	if err := checkCollector([]byte(doc)); err != nil {
		t.Error(err)
	}
	for _, typo := range words(t, doc) {
		if checkCollector(typo.doc) == nil {
			t.Errorf("passes with another %s", typo.where)
		}
	}
}
