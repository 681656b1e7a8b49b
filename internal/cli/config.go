package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
)

func newConfig(e *env) *cobra.Command {
	return e.group("config", "Show and check the configuration of a process", newConfigShow(e), newConfigValidate(e))
}

// processes lists the processes for a text.
func processes() string { return strings.Join(config.Processes(), ", ") }

func newConfigShow(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show PROCESS",
		Short: "Show the settings of a process, with secrets masked",
		Long: `Show the settings of a process (` + processes() + `): every variable that it reads, its
value and where the value comes from. Possible secrets are masked; a malformed URL is masked completely. The practices of the
tenants' file follow with their time zones.`,
		Example: "  rounds config show worker\n  rounds config show gateway --json",
		Args:    names("PROCESS"), ValidArgs: config.Processes(),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := e.settings(args[0])
			if err != nil {
				return err
			}
			if len(doc.Problems) > 0 {
				e.printf("%d problems; see rounds config validate %s", len(doc.Problems), args[0])
			}
			return e.answer(doc, doc.write)
		},
	}
}

func newConfigValidate(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "validate PROCESS",
		Short: "Check the configuration of a process",
		Long: `Check the configuration of a process (` + processes() + `) without starting it: every variable
and the files it names. Each problem is reported with its fix, and without the value. The command does not connect to
servers; "rounds doctor" does. The exit code is 7 if there is a problem.`,
		Example: "  rounds config validate worker --json",
		Args:    names("PROCESS"), ValidArgs: config.Processes(),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := e.settings(args[0])
			if err != nil {
				return err
			}
			if err := e.answer(doc, doc.writeProblems); err != nil || doc.OK {
				return err
			}
			return checkFailed("the configuration is not usable")
		},
	}
}

// configDoc is the result of config show and config validate.
type configDoc struct {
	Process  string       `json:"process"`
	OK       bool         `json:"ok"` // there is no problem
	Settings []settingDoc `json:"settings"`
	// Practices has the time zones of the practices in the tenants' file.
	Practices []zoneDoc    `json:"practices"`
	Problems  []problemDoc `json:"problems"`
}

type zoneDoc struct {
	Tenant   string `json:"tenant"`
	Practice string `json:"practice"`
	Zone     string `json:"zone"`
}

type settingDoc struct {
	Variable string `json:"variable"`
	Value    string `json:"value"` // masked if it may be secret
	Source   string `json:"source"`
}

type problemDoc struct {
	Variable string `json:"variable"`
	Wrong    string `json:"wrong"`
	Fix      string `json:"fix"`
}

func (e *env) settings(process string) (configDoc, error) {
	if !slices.Contains(config.Processes(), process) {
		f := usage("unknown process")
		f.Found = []string{"the processes are " + processes()}
		return configDoc{}, f
	}
	all, err := config.Show(process, e.getenv)
	doc := configDoc{Process: process, OK: err == nil, Settings: make([]settingDoc, 0, len(all)), Problems: []problemDoc{}}
	for _, s := range all {
		doc.Settings = append(doc.Settings, settingDoc(s))
	}
	doc.Practices = []zoneDoc{}
	for _, z := range config.ShowZones(process, e.getenv) {
		doc.Practices = append(doc.Practices, zoneDoc(z))
	}
	wrong, ok := errors.AsType[*config.Error](err)
	if err != nil && !ok {
		return configDoc{}, err
	}
	if ok {
		for _, p := range wrong.Problems() {
			doc.Problems = append(doc.Problems, problemDoc(p))
		}
	}
	return doc, nil
}

func (d configDoc) write(w io.Writer) {
	table(w, []string{"VARIABLE", "VALUE", "FROM"}, d.Settings, func(s settingDoc) []string {
		return []string{s.Variable, s.Value, s.Source}
	})
	if len(d.Practices) > 0 {
		_, _ = fmt.Fprintln(w)
		table(w, []string{"TENANT", "PRACTICE", "ZONE"}, d.Practices, func(z zoneDoc) []string {
			return []string{z.Tenant, z.Practice, z.Zone}
		})
	}
}

func (d configDoc) writeProblems(w io.Writer) {
	if d.OK {
		_, _ = fmt.Fprintf(w, "%s: the configuration has no problem\n", d.Process)
	}
	for _, p := range d.Problems {
		_, _ = fmt.Fprintf(w, "%s %s\n", p.Variable, p.Wrong)
		var b strings.Builder
		lines(&b, "fix", []string{p.Fix})
		_, _ = io.WriteString(w, b.String())
	}
}
