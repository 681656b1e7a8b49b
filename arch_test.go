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
	"unicode/utf8"
)

// source is one parsed Go file of the module.
type source struct {
	pkg  string // folder, relative to the module; "." is the root
	name string // path, relative to the module
	test bool
	text string
	file *ast.File
	fset *token.FileSet
}

// at returns the position of a node, for messages.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.name, s.fset.Position(n.Pos()).Line)
}

// imports returns the paths that the file imports.
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

// TestArch checks the module against the rules in arch_rules_test.go.
func TestArch(t *testing.T) {
	t.Parallel()
	sources := parseModule(t, ".")
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, fault := range check(sources) {
				t.Error(fault)
			}
		})
	}
	t.Run("skips of benches", func(t *testing.T) {
		t.Parallel()
		for _, fault := range checkSkips(parseModule(t, "bench")) {
			t.Error(fault)
		}
	})
	t.Run("script widths", func(t *testing.T) {
		t.Parallel()
		checkScriptWidths(t)
	})
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

// checks need only the source text. Each returns a sentence per fault.
var checks = map[string]func([]source) []string{
	"packages":     checkPackages,
	"imports":      checkImports,
	"owners":       checkOwners,
	"calls":        checkCalls,
	"package docs": checkPackageDocs,
	"log keys":     checkLogKeys,
	"skips":        checkSkips,
	"widths":       checkCommentWidths,
	"dependencies": checkDependencies,
}

// parseModule reads every Go file of the module in a folder, with any build tags. Nested modules
// have their own rules.
func parseModule(t *testing.T, root string) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (d.Name()[0] == '.' || d.Name() == "testdata" || d.Name() == "node_modules" || nested(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		out = append(out, source{path.Dir(name), name, strings.HasSuffix(name, "_test.go"), string(text), file, fset})
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

// checkPackages requires a rule for every package and a package for every rule.
func checkPackages(sources []source) []string {
	var faults []string
	built := map[string]bool{}
	for _, s := range sources {
		if !s.test && s.pkg != "." {
			built[s.pkg] = true
		}
	}
	known := map[string]bool{}
	for _, r := range packageRules {
		if known[r.path] {
			faults = addf(faults, "%s has two rules", r.path)
		}
		known[r.path] = true
		switch {
		case r.why == "":
			faults = addf(faults, "%s has no reason", r.path)
		case built[r.path] && r.planned:
			faults = addf(faults, "%s exists: remove the mark 'planned' from its rule", r.path)
		case !built[r.path] && !r.planned:
			faults = addf(faults, "%s has a rule but no longer exists: remove the rule", r.path)
		}
	}
	for _, pkg := range sortedKeys(built) {
		if !known[pkg] {
			faults = addf(faults, "%s has no rule in arch_rules_test.go: add the packages that may import it, and the reason", pkg)
		}
	}
	for _, name := range namesInRules() {
		if !known[strings.TrimSuffix(name, "/...")] && name != "cmd/..." {
			faults = addf(faults, "a rule names %s, which has no rule", name)
		}
	}
	return faults
}

// namesInRules returns every package of the module that a rule permits something.
func namesInRules() []string {
	var out []string
	for _, r := range packageRules {
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

// checkImports checks the imports of all files except tests against the rules.
func checkImports(sources []source) []string {
	var faults []string
	rules := map[string]packageRule{}
	for _, r := range packageRules {
		rules[r.path] = r
	}
	for _, s := range sources {
		if s.test {
			continue
		}
		from := rules[s.pkg]
		for _, imported := range s.imports() {
			ours, ok := strings.CutPrefix(imported, module+"/")
			if !ok {
				continue
			}
			if reason := forbidden(from, rules[ours]); reason != "" {
				faults = addf(faults, "%s imports %s: %s", s.name, ours, reason)
			}
		}
	}
	return faults
}

// forbidden returns the reason why one package may not import the other, or an empty string if it
// may.
func forbidden(from, to packageRule) string {
	switch {
	case to.path == "":
		return "which has no rule"
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

// checkOwners finds imports of external packages by packages that may not use them.
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

// listed reports whether a list of names in a rule contains the package.
func listed(names []string, pkg string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if folder, ok := strings.CutSuffix(name, "/..."); ok {
			return covers(folder, pkg)
		}
		return name == pkg
	})
}

// checkCalls finds uses of restricted functions. A mention without a call counts too, because a
// constructor can be passed as a value.
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

// importNames maps the names of a file's imports to their paths.
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

// checkPackageDocs requires exactly one package comment in every package.
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

// checkLogKeys finds log keys that the log handler would drop.
func checkLogKeys(sources []source) []string {
	allowed, err := vocabulary()
	if err != nil {
		return []string{err.Error()}
	}
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
				if !allowed[key] {
					faults = addf(faults, "%s logs the key %q, which is not in telemetry's vocabulary: its value would be dropped", s.at(n), key)
				}
			}
			return true
		})
	}
	return faults
}

// vocabularyFile declares the keys that a log line may carry, as a map literal named vocabulary.
const vocabularyFile = "internal/telemetry/vocabulary.go"

// vocabulary reads the keys from the source. Telemetry does not export them, because no program
// needs them.
func vocabulary() (map[string]bool, error) {
	file, err := parser.ParseFile(token.NewFileSet(), vocabularyFile, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "vocabulary" || len(spec.Values) != 1 {
			return true
		}
		ast.Inspect(spec.Values[0], func(n ast.Node) bool {
			entry, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			if lit, ok := entry.Key.(*ast.BasicLit); ok {
				if key, err := strconv.Unquote(lit.Value); err == nil {
					keys[key] = true
				}
			}
			return false
		})
		return false
	})
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s declares no keys in a map named vocabulary", vocabularyFile)
	}
	return keys, nil
}

// logKeys returns the literal keys that one call passes to a log: every second argument after the
// message, or the first argument of slog's attribute constructors.
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

// commentWidth is the maximum width of a line of comment, with tabs of 4 columns.
const commentWidth = 100

// checkCommentWidths refuses wider lines that contain only a comment. Directives cannot be wrapped.
func checkCommentWidths(sources []source) []string {
	var faults []string
	for _, s := range sources {
		faults = append(faults, wideComments(s.name, s.text, "// ")...)
	}
	return faults
}

// checkScriptWidths holds the comments of Lua scripts to the same width.
func checkScriptWidths(t *testing.T) {
	names, err := filepath.Glob("internal/*/lua/*.lua")
	if err != nil || len(names) == 0 {
		t.Fatalf("found no scripts: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range wideComments(name, string(text), "--") {
			t.Error(fault)
		}
	}
}

// wideComments reports the lines that begin with mark and are wider than commentWidth.
func wideComments(name, text, mark string) []string {
	var faults []string
	for i, line := range strings.Split(text, "\n") {
		width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
		if strings.HasPrefix(strings.TrimLeft(line, "\t "), mark) && width > commentWidth {
			faults = addf(faults, "%s:%d has a comment of %d columns, want at most %d", name, i+1, width, commentWidth)
		}
	}
	return faults
}

// checkSkips refuses tests that can pass without running. Slow tests carry the build tag soak, and
// make test installs missing programs. A fuzz target may skip an input. A property takes steps that
// apply.
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

// skipFinder walks a function and tracks the names of its tests: testing.T and its kin.
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

// inside returns the finder for a function's body, whose parameters shadow outer names.
func (v *skipFinder) inside(f *ast.FuncType) *skipFinder {
	tests := maps.Clone(v.tests)
	if tests == nil {
		tests = map[string]bool{}
	}
	for _, param := range f.Params.List {
		for _, name := range param.Names {
			tests[name.Name] = slices.Contains([]string{"*testing.T", "testing.TB", "*testing.B", "*rapid.T"}, types.ExprString(param.Type))
		}
	}
	return &skipFinder{v.report, tests}
}

// dependencyList is the page that lists every imported module.
const dependencyList = "docs/adr/0005-direct-dependencies.md"

var moduleInTable = regexp.MustCompile("`([a-z0-9.-]+\\.[a-z]+/[^`]+)`")

// checkDependencies compares the imports, tests included, with the page that gives a reason for
// each module.
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
				faults = addf(faults, "%s imports %s, for which %s has no reason", s.name, imported, dependencyList)
			}
		}
	}
	for _, m := range sortedKeys(used) {
		if !used[m] {
			faults = addf(faults, "%s lists %s, which no file imports", dependencyList, m)
		}
	}
	return faults
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
