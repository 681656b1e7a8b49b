package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// nameRule is one line of names.txt.
type nameRule struct {
	where  string // folder, or "*"
	name   *regexp.Regexp
	better string
}

// readNames reads the rules, and the names that are allowed before them.
func readNames(file string) (rules, allowed []nameRule, err error) {
	text, err := lines(file)
	if err != nil {
		return nil, nil, err
	}
	for _, line := range text {
		// A name may hold the separator: it is what is left between the outer ones.
		where, rest, ok := strings.Cut(line, " | ")
		last := strings.LastIndex(rest, " | ")
		if !ok || last < 0 {
			return nil, nil, fmt.Errorf("%s: %q is not where | name | better", file, line)
		}
		pattern, whole := strings.CutPrefix(strings.TrimSpace(rest[:last]), "=")
		expr := `\b(?:` + pattern + `)\b`
		if whole {
			expr = `^(?:` + pattern + `)$`
		}
		name, err := regexp.Compile(expr)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		rule := nameRule{strings.TrimSpace(where), name, strings.TrimSpace(rest[last+3:])}
		if rule.better == "ok" {
			allowed = append(allowed, rule)
		} else {
			rules = append(rules, rule)
		}
	}
	return rules, allowed, nil
}

func (r nameRule) covers(file string) bool {
	return r.where == "*" || strings.HasPrefix(path.Dir(file)+"/", r.where+"/")
}

// names checks a file's own name and, in Go, the names that it declares.
func (c checker) names(file string) ([]fault, error) {
	var faults []fault
	base := strings.TrimSuffix(path.Base(file), path.Ext(file))
	if better, ok := c.retired(file, strings.TrimSuffix(base, "_test")); ok {
		faults = append(faults, fault{file, 1, 1, fmt.Sprintf("name the file %s instead of %s (names.txt)", better, base)})
	}
	if path.Ext(file) != ".go" {
		return faults, nil
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, filepath.FromSlash(file), nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	declared(parsed, func(id *ast.Ident) {
		if better, ok := c.retired(file, id.Name); ok {
			at := fset.Position(id.Pos())
			faults = append(faults, fault{file, at.Line, at.Column, fmt.Sprintf("name it %s instead of %s (names.txt)", better, id.Name)})
		}
	})
	return faults, nil
}

// retired returns the better name of one that a rule refuses.
func (c checker) retired(file, name string) (string, bool) {
	spelled := spell(name)
	for _, ok := range c.allowed {
		if ok.covers(file) {
			spelled = strings.TrimSpace(ok.name.ReplaceAllString(spelled, ""))
		}
	}
	for _, r := range c.rules {
		if r.covers(file) && r.name.MatchString(spelled) {
			return r.better, true
		}
	}
	return "", false
}

// spell returns a name as lower-case words: "dead letter" of DeadLetter.
func spell(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case r == '_' || r == '-' || r == '.':
			b.WriteRune(' ')
			continue
		case i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			b.WriteRune(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// declared calls visit for each name that the file declares.
func declared(file *ast.File, visit func(*ast.Ident)) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			visit(n.Name)
		case *ast.TypeSpec:
			visit(n.Name)
		case *ast.ValueSpec:
			each(n.Names, visit)
		case *ast.Field:
			each(n.Names, visit)
		case *ast.ImportSpec:
			if n.Name != nil {
				visit(n.Name)
			}
		case *ast.LabeledStmt:
			visit(n.Label)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				assigned(visit, n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				assigned(visit, n.Key, n.Value)
			}
		}
		return true
	})
}

func each(ids []*ast.Ident, visit func(*ast.Ident)) {
	for _, id := range ids {
		visit(id)
	}
}

func assigned(visit func(*ast.Ident), exprs ...ast.Expr) {
	for _, e := range exprs {
		if id, ok := e.(*ast.Ident); ok {
			visit(id)
		}
	}
}
