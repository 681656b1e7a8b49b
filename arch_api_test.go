package rounds_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkBinaries checks every package that a program links.
func checkBinaries(t *testing.T) {
	programs, err := filepath.Glob("cmd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		program = filepath.ToSlash(program)
		linked := strings.Fields(golist(t, "-deps", "-f", "{{.ImportPath}}", "./"+program))
		banned := []string{"testing", "testing/quick"}
		if program == "cmd/monitor" {
			banned = append(banned, module+"/internal/phi", module+"/internal/app")
		}
		for _, pkg := range banned {
			if slices.Contains(linked, pkg) {
				t.Errorf("%s links %s", program, pkg)
			}
		}
	}
}

// checkClient checks every package that a service links by importing tasks.
func checkClient(t *testing.T) {
	for pkg := range strings.FieldsSeq(golist(t, "-deps", "-f", "{{.ImportPath}}", "./tasks")) {
		for _, banned := range []string{"grpc", "otlp", "prometheus", "tebra"} {
			if strings.Contains(pkg, banned) {
				t.Errorf("tasks links %s: a service that only enqueues needs neither exporters nor the vendor's client", pkg)
			}
		}
	}
}

// checkPublicAPI requires that no exported name of tasks mentions an internal type, which importers
// could not name.
func checkPublicAPI(t *testing.T) {
	for _, pkg := range []string{"tasks", "tasks/taskstest"} {
		if _, err := os.Stat(pkg); err != nil {
			continue // checkPackages reports missing packages
		}
		scope := exported(t, module+"/"+pkg).Scope()
		for _, name := range scope.Names() {
			object := scope.Lookup(name)
			if !object.Exported() {
				continue
			}
			for _, hidden := range internalsIn(object) {
				t.Errorf("%s.%s exposes %s, which importers cannot name", pkg, name, hidden)
			}
		}
	}
}

// exported returns the package, type-checked from its source and that of its imports without
// function bodies: compiling export data takes a minute with an empty build cache.
func exported(t *testing.T, pkg string) *types.Package {
	t.Helper()
	s := sources{t: t, fset: token.NewFileSet(), listed: map[string]*listedSource{}, checked: map[string]*types.Package{"unsafe": types.Unsafe}}
	for dec := json.NewDecoder(strings.NewReader(golist(t, "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap", pkg))); dec.More(); {
		var l listedSource
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		s.listed[l.ImportPath] = &l
	}
	return s.check(pkg)
}

// listedSource is go list's description of a package.
type listedSource struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string // from a path in a file to that of a package, where they differ
}

// sources type-checks each package once.
type sources struct {
	t       *testing.T
	fset    *token.FileSet
	listed  map[string]*listedSource
	checked map[string]*types.Package
}

func (s *sources) check(path string) *types.Package {
	s.t.Helper()
	if p := s.checked[path]; p != nil {
		return p
	}
	l := s.listed[path]
	var files []*ast.File
	for _, name := range l.GoFiles {
		file, err := parser.ParseFile(s.fset, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			s.t.Fatal(err)
		}
		files = append(files, file)
	}
	conf := types.Config{IgnoreFuncBodies: true, Importer: importFunc(func(imported string) *types.Package {
		if vendored, ok := l.ImportMap[imported]; ok {
			imported = vendored
		}
		return s.check(imported)
	})}
	p, err := conf.Check(path, s.fset, files, nil)
	if err != nil {
		s.t.Fatalf("check %s: %v", path, err)
	}
	s.checked[path] = p
	return p
}

// importFunc is an importer that cannot fail.
type importFunc func(path string) *types.Package

func (f importFunc) Import(path string) (*types.Package, error) { return f(path), nil }

// internalsIn returns the types of internal packages that an exported object exposes: in its
// signature, its exported fields and the exported methods of the type that it declares. A type with
// an exported alias in the object's package can be named, and counts as declared there.
func internalsIn(object types.Object) []string {
	w := &walker{object: object, seen: map[types.Type]bool{}, aliased: map[types.Object]bool{}}
	for _, name := range object.Pkg().Scope().Names() {
		alias, ok := object.Pkg().Scope().Lookup(name).(*types.TypeName)
		if !ok || !alias.IsAlias() || !alias.Exported() {
			continue
		}
		if named, ok := types.Unalias(alias.Type()).(*types.Named); ok {
			w.aliased[named.Obj()] = true
			if alias == object {
				w.object = named.Obj()
			}
		}
	}
	w.visit(object.Type())
	slices.Sort(w.found)
	return slices.Compact(w.found)
}

type walker struct {
	object types.Object
	seen   map[types.Type]bool
	// aliased holds the types for which the package declares an alias.
	aliased map[types.Object]bool
	found   []string
}

func (w *walker) visit(t types.Type) {
	if t == nil || w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Named:
		w.named(t)
	case *types.Alias:
		w.visit(types.Unalias(t))
	case *types.Signature:
		w.signature(t)
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				w.visit(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			w.signature(m.Signature())
		}
		for e := range t.EmbeddedTypes() {
			w.visit(e)
		}
	case *types.Map:
		w.visit(t.Key())
		w.visit(t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		w.visit(t.Elem())
	}
}

// named inspects a type only where it is declared: other types of the module are inspected under
// their own names, and external types cannot contain types of the module.
func (w *walker) named(t *types.Named) {
	if p := t.Obj().Pkg(); p != nil && !w.aliased[t.Obj()] && strings.HasPrefix(p.Path(), module+"/internal/") {
		w.found = append(w.found, strings.TrimPrefix(p.Path(), module+"/")+"."+t.Obj().Name())
		return
	}
	for arg := range t.TypeArgs().Types() {
		w.visit(arg)
	}
	if t.Obj() != w.object {
		return
	}
	w.visit(t.Underlying())
	for m := range t.Methods() {
		if m.Exported() {
			w.signature(m.Signature())
		}
	}
}

func (w *walker) signature(s *types.Signature) {
	for _, tuple := range []*types.Tuple{s.Params(), s.Results()} {
		for v := range tuple.Variables() {
			w.visit(v.Type())
		}
	}
	for p := range s.TypeParams().TypeParams() {
		w.visit(p.Constraint())
	}
}

func golist(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // programs are built so, and cgo output has no source
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// planted is source text in which each piece breaks one rule.
var planted = map[string]struct {
	name, text string
	want       string // part of that check's fault
}{
	"imports":      {"internal/cache/x.go", `import "github.com/workflow-bolt/rounds/tasks"`, "row 3 may not import row 4"},
	"owners":       {"internal/cache/x.go", `import "github.com/hibiken/asynq"`, "internal/cache/x.go imports github.com/hibiken/asynq"},
	"calls":        {"internal/cache/x.go", `import sys "os"; var _ = sys.Getenv("HOME")`, "uses sys.Getenv"},
	"dependencies": {"internal/cache/x.go", `import "github.com/example/thing"`, "imports github.com/example/thing"},
	"packages":     {"internal/utils/x.go", ``, "internal/utils has no rule"},
	"package docs": {"internal/cache/x.go", ``, "has 0 package comments"},
	"log keys":     {"internal/cache/x.go", `import "log/slog"; func f(l *slog.Logger) { l.InfoContext(nil, "x", "lane", "sync", "patient", "x") }`, `logs the key "patient"`},
	"widths":       {"internal/cache/x.go", "// " + strings.Repeat("wide ", 20), "has a comment of 103 columns"},
	"skips":        {"internal/cache/x_test.go", `func TestX(t *testing.T) { t.` + "Skip" + `("later") }`, "skips a test"},
}

// TestArchFindsFaults checks that the checks find planted faults.
func TestArchFindsFaults(t *testing.T) {
	t.Parallel()
	for name, check := range checks {
		p := planted[name]
		faults := strings.Join(check([]source{parseText(t, p.name, p.text)}), "\n")
		if !strings.Contains(faults, p.want) || p.want == "" {
			t.Errorf("%s reports %q, want %q in it", name, faults, p.want)
		}
	}
}

func TestArchImportRules(t *testing.T) {
	t.Parallel()
	rules := map[string]packageRule{}
	for _, r := range packageRules {
		rules[r.path] = r
	}
	for _, row := range []struct {
		from, to string
		ok       bool
	}{
		{"internal/cache", "internal/events", true},
		{"internal/cache", "internal/queue", false},
		{"internal/events", "internal/cache", false},
		{"internal/telemetry", "internal/tenant", false},
		{"internal/practice", "integrations/tebra", true},
		{"tasks", "integrations/tebra", false},
		{"tasks", "internal/cache", false},
		{"tasks", "internal/queue", true},
		{"integrations/tebra", "internal/phi", true},
		{"integrations/tebra", "internal/tenant", false},
		{"internal/work", "integrations/tebra/tebratest", false},
		{"internal/app", "integrations/tebra/tebratest", true},
		{"internal/app", "internal/cli", false},
		{"internal/cli", "internal/app", true},
		{"internal/work", "internal/plan", false},
		{"internal/ledger", "internal/pgtest", false},
		{"cmd/monitor", "internal/app", false},
		{"internal/work", "internal/nowhere", false},
	} {
		if reason := forbidden(rules[row.from], rules[row.to]); (reason == "") != row.ok {
			t.Errorf("%s imports %s: %q, want allowed=%v", row.from, row.to, reason, row.ok)
		}
	}
}

func TestArchSeesHiddenTypes(t *testing.T) {
	t.Parallel()
	hidden := types.NewPackage(module+"/internal/phi", "phi")
	declare := func(name string) *types.Named {
		object := types.NewTypeName(token.NoPos, hidden, name, nil)
		hidden.Scope().Insert(object)
		return types.NewNamed(object, types.NewStruct(nil, nil), nil)
	}
	keys, _, sealer := declare("Keys"), declare("Ref"), declare("Sealer")
	result := types.NewTuple(types.NewVar(token.NoPos, hidden, "", keys))
	sealer.AddMethod(types.NewFunc(token.NoPos, hidden, "Keys", types.NewSignatureType(nil, nil, nil, nil, result, false)))
	hidden.MarkComplete()

	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "x.go", `package x
		import "`+module+`/internal/phi"
		type Field struct { Keys *phi.Keys }
		type unexported struct { keys []phi.Keys }
		type Fine struct { keys phi.Keys; Other *Field }
		func Param(map[string]phi.Keys) {}
		func Result() (func() chan phi.Keys) { return nil }
		type Method int
		func (Method) Keys() phi.Keys { panic(0) }
		func (Method) keys() phi.Keys { panic(0) }
		type Iface interface { Keys() [2]phi.Keys }
		func Generic[T interface{ *phi.Keys }](T) {}
		type Alias = phi.Ref
		func OfAlias(phi.Ref) Alias { panic(0) }
		type AliasWithMethod = phi.Sealer
	`, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: importFunc(func(string) *types.Package { return hidden })}
	pkg, err := conf.Check("x", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, n := range pkg.Scope().Names() {
		if object := pkg.Scope().Lookup(n); object.Exported() {
			got[n] = len(internalsIn(object)) > 0
		}
	}
	want := map[string]bool{
		"Field": true, "Fine": false, "Param": true, "Result": true, "Method": true, "Iface": true, "Generic": true,
		"Alias": false, "OfAlias": false, "AliasWithMethod": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects that expose an internal type (-want +got):\n%s", diff)
	}
}

func parseText(t *testing.T, name, text string) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, "package x\n"+text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{filepath.ToSlash(filepath.Dir(name)), name, strings.HasSuffix(name, "_test.go"), text, file, fset}
}
