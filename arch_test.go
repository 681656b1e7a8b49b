package rounds_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// source is one parsed Go file of ours.
type source struct {
	pkg  string // folder, relative to the module; "." is the root
	name string // path, relative to the module
	test bool
	file *ast.File
	fset *token.FileSet
}

// at says where a node stands, for messages.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.name, s.fset.Position(n.Pos()).Line)
}

// imports lists what the file imports.
func (s source) imports() []string {
	var out []string
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			out = append(out, p)
		}
	}
	return out
}

// TestArch holds the whole module against the rules in arch_rules_test.go.
func TestArch(t *testing.T) {
	t.Parallel()
	sources := parseModule(t)
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, fault := range check(sources) {
				t.Error(fault)
			}
		})
	}
	t.Run("binaries", func(t *testing.T) {
		t.Parallel()
		checkBinaries(t)
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		checkClient(t)
	})
	t.Run("public API", func(t *testing.T) {
		t.Parallel()
		checkPublicAPI(t)
	})
}

// checks look at source text alone. Each returns what it found, a sentence per
// fault.
var checks = map[string]func([]source) []string{
	"rooms":        checkRooms,
	"imports":      checkImports,
	"owners":       checkOwners,
	"calls":        checkCalls,
	"package docs": checkPackageDocs,
	"log keys":     checkLogKeys,
	"skips":        checkSkips,
	"dependencies": checkDependencies,
}

// parseModule reads every Go file of the module, whatever its build tags say.
// Nested modules have rules of their own.
func parseModule(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (d.Name()[0] == '.' || d.Name() == "testdata" || d.Name() == "node_modules" || nested(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		out = append(out, source{path.Dir(name), name, strings.HasSuffix(name, "_test.go"), file, fset})
		return nil
	})
	if err != nil {
		t.Fatalf("read the module: %v", err)
	}
	return out
}

func addf(faults []string, format string, args ...any) []string {
	return append(faults, fmt.Sprintf(format, args...))
}

func nested(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// checkRooms wants a row for every package, and a package for every row.
func checkRooms(sources []source) []string {
	var faults []string
	built := map[string]bool{}
	for _, s := range sources {
		if !s.test && s.pkg != "." {
			built[s.pkg] = true
		}
	}
	known := map[string]bool{}
	for _, r := range house {
		if known[r.path] {
			faults = addf(faults, "%s has two rows", r.path)
		}
		known[r.path] = true
		switch {
		case r.why == "":
			faults = addf(faults, "%s has no reason", r.path)
		case built[r.path] && r.planned:
			faults = addf(faults, "%s is built: take the mark 'planned' off its row", r.path)
		case !built[r.path] && !r.planned:
			faults = addf(faults, "%s has a row and is gone: remove the row, or the rule protects nothing", r.path)
		}
	}
	for _, pkg := range sortedKeys(built) {
		if !known[pkg] {
			faults = addf(faults, "%s has no row in arch_rules_test.go: say who may import it and why", pkg)
		}
	}
	for _, name := range namesInRules() {
		if !known[strings.TrimSuffix(name, "/...")] && name != "cmd/..." {
			faults = addf(faults, "a rule names %s, which has no row", name)
		}
	}
	return faults
}

// namesInRules lists every package of ours that a rule gives a right to.
func namesInRules() []string {
	var out []string
	for _, r := range house {
		out = slices.Concat(out, r.only, r.beside, r.by)
	}
	for _, o := range owners {
		out = append(out, o.of...)
	}
	for _, c := range calls {
		out = append(out, c.of...)
	}
	return out
}

// checkImports holds what gets built against the rows.
func checkImports(sources []source) []string {
	var faults []string
	rooms := map[string]room{}
	for _, r := range house {
		rooms[r.path] = r
	}
	for _, s := range sources {
		if s.test {
			continue
		}
		from := rooms[s.pkg]
		for _, imported := range s.imports() {
			ours, ok := strings.CutPrefix(imported, module+"/")
			if !ok {
				continue
			}
			if reason := forbidden(from, rooms[ours]); reason != "" {
				faults = addf(faults, "%s imports %s: %s", s.name, ours, reason)
			}
		}
	}
	return faults
}

// forbidden tells why one room may not import the other; empty when it may.
func forbidden(from, to room) string {
	switch {
	case to.path == "":
		return "which has no row"
	case slices.Contains(from.beside, to.path):
		return ""
	case to.by != nil && !slices.Contains(to.by, from.path):
		return fmt.Sprintf("only %v may (%s)", to.by, to.why)
	case to.row >= from.row:
		return fmt.Sprintf("row %d may not import row %d (%s)", from.row, to.row, from.why)
	case from.only != nil && !slices.Contains(from.only, to.path):
		return fmt.Sprintf("it may import only %s (%s)", strings.Join(from.only, ", "), from.why)
	default:
		return ""
	}
}

// checkOwners keeps packages of others with the few that may use them.
func checkOwners(sources []source) []string {
	var faults []string
	for _, s := range sources {
		if s.test {
			continue
		}
		for _, imported := range s.imports() {
			for _, o := range owners {
				if covers(o.path, imported) && !notOwned[imported] && !listed(o.of, s.pkg) {
					faults = addf(faults, "%s imports %s, which is for %v: %s", s.name, imported, o.of, o.why)
				}
			}
		}
	}
	return faults
}

func covers(owned, imported string) bool {
	return imported == owned || strings.HasPrefix(imported, owned+"/")
}

// listed tells whether a list of rules' names holds the package.
func listed(names []string, pkg string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if folder, ok := strings.CutSuffix(name, "/..."); ok {
			return covers(folder, pkg)
		}
		return name == pkg
	})
}

// checkCalls finds uses of functions that have one home. Naming one counts,
// called or not: a constructor passed as a value is used all the same.
func checkCalls(sources []source) []string {
	var faults []string
	for _, s := range sources {
		if s.test {
			continue
		}
		names := importNames(s)
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			id, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, c := range calls {
				if names[id.Name] == c.pkg && slices.Contains(c.name, sel.Sel.Name) && !listed(c.of, s.pkg) {
					faults = addf(faults, "%s uses %s.%s, which is for %v: %s", s.at(n), id.Name, sel.Sel.Name, c.of, c.why)
				}
			}
			return true
		})
	}
	return faults
}

// importNames maps the names that a file uses to what it imports under them.
func importNames(s source) map[string]string {
	names := map[string]string{}
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if p == "github.com/redis/go-redis/v9" {
			name = "redis"
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

// checkPackageDocs wants exactly one package comment in every package.
func checkPackageDocs(sources []source) []string {
	var faults []string
	docs := map[string]int{}
	for _, s := range sources {
		if s.test {
			continue
		}
		docs[s.pkg] += 0
		if s.file.Doc != nil {
			docs[s.pkg]++
		}
	}
	for _, pkg := range sortedKeys(docs) {
		if docs[pkg] != 1 {
			faults = addf(faults, "%s has %d package comments, want exactly one", pkg, docs[pkg])
		}
	}
	return faults
}

// checkLogKeys finds log lines whose value the log would drop.
func checkLogKeys(sources []source) []string {
	var faults []string
	for _, s := range sources {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for _, key := range logKeys(s, call) {
				if !telemetry.Allowed(key) {
					faults = addf(faults, "%s logs the key %q, which telemetry's vocabulary does not hold: its value would be dropped", s.at(n), key)
				}
			}
			return true
		})
	}
	return faults
}

// logKeys returns the keys that one call gives to a log, as far as they are
// written out: every second argument after the message, or the first argument
// of slog's constructors of attributes.
func logKeys(s source, call *ast.CallExpr) []string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	var args []ast.Expr
	switch name := sel.Sel.Name; name {
	case "DebugContext", "InfoContext", "WarnContext", "ErrorContext":
		args = call.Args[min(2, len(call.Args)):]
	case "String", "Int", "Int64", "Uint64", "Float64", "Bool", "Time", "Duration", "Any":
		id, ok := sel.X.(*ast.Ident)
		if !ok || importNames(s)[id.Name] != "log/slog" || covers("internal/telemetry", s.pkg) {
			return nil
		}
		args = call.Args[:min(1, len(call.Args))]
	}
	var keys []string
	for i := 0; i < len(args); i += 2 {
		lit, ok := args[i].(*ast.BasicLit)
		if !ok {
			continue
		}
		if key, err := strconv.Unquote(lit.Value); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// checkSkips refuses tests that can pass without running. What takes too long
// carries the build tag soak, what is missing gets installed by make test. A
// fuzz target may skip an input, and a property a step that does not apply.
func checkSkips(sources []source) []string {
	var faults []string
	for _, s := range sources {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !s.test || strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			ast.Walk(&skipFinder{report: func(n ast.Node) {
				faults = addf(faults, "%s skips a test: a test that does not run proves nothing", s.at(n))
			}}, f)
		}
	}
	return faults
}

// skipFinder walks a function and knows which names are a test's t there.
type skipFinder struct {
	report func(ast.Node)
	tests  map[string]bool
}

func (v *skipFinder) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.FuncType:
		return nil
	case *ast.FuncDecl:
		return v.inside(n.Type)
	case *ast.FuncLit:
		return v.inside(n.Type)
	case *ast.SelectorExpr:
		id, ok := n.X.(*ast.Ident)
		if ok && v.tests[id.Name] && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, n.Sel.Name) {
			v.report(n)
		}
	}
	return v
}

// inside returns the finder for a function's body: its parameters hide the
// names outside.
func (v *skipFinder) inside(f *ast.FuncType) *skipFinder {
	tests := maps.Clone(v.tests)
	if tests == nil {
		tests = map[string]bool{}
	}
	for _, param := range f.Params.List {
		for _, name := range param.Names {
			tests[name.Name] = slices.Contains([]string{"*testing.T", "testing.TB", "*testing.B"}, types.ExprString(param.Type))
		}
	}
	return &skipFinder{v.report, tests}
}

// dependencyList is the page that names every module we import.
const dependencyList = "docs/adr/0005-direct-dependencies.md"

var moduleInTable = regexp.MustCompile("`([a-z0-9.-]+\\.[a-z]+/[^`]+)`")

// checkDependencies compares what is imported, tests included, with the page
// that gives a reason for each module.
func checkDependencies(sources []source) []string {
	page, err := os.ReadFile(dependencyList)
	if err != nil {
		return []string{err.Error()}
	}
	used := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "|") {
			for _, m := range moduleInTable.FindAllStringSubmatch(line, -1) {
				used[m[1]] = false
			}
		}
	}
	var faults []string
	for _, s := range sources {
		for _, imported := range s.imports() {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") || covers(module, imported) {
				continue
			}
			listed := false
			for _, m := range sortedKeys(used) {
				if covers(m, imported) {
					used[m], listed = true, true
				}
			}
			if !listed {
				faults = addf(faults, "%s imports %s, which %s gives no reason for", s.name, imported, dependencyList)
			}
		}
	}
	for _, m := range sortedKeys(used) {
		if !used[m] {
			faults = addf(faults, "%s names %s, which nothing imports", dependencyList, m)
		}
	}
	return faults
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
