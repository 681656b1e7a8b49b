package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
)

// figures are what is counted of one tree and its commits.
type figures struct {
	packages                   map[string]bool // folders with Go code that is no test
	code, tests, cli, cliTests counts
	readme                     int
	longSubjects, subjects     int
}

// counts are figures about some Go files.
type counts struct {
	lines, longFiles, longFuncs int
	filled, comments            int // lines that are not blank, and those of them that are comments alone
}

func (c counts) commentShare() string {
	return fmt.Sprintf("%.1f %%", 100*float64(c.comments)/float64(max(c.filled, 1)))
}

func (c *counts) add(o counts) {
	c.lines += o.lines
	c.longFiles += o.longFiles
	c.longFuncs += o.longFuncs
	c.filled += o.filled
	c.comments += o.comments
}

func measure(files tree) (figures, error) {
	f := figures{packages: map[string]bool{}, readme: bytes.Count(files["README.md"], []byte("\n"))}
	for name, text := range files {
		if path.Ext(name) != ".go" {
			continue
		}
		c, err := count(name, text)
		if err != nil {
			return figures{}, err
		}
		all, cli := &f.code, &f.cli
		if strings.HasSuffix(name, "_test.go") {
			all, cli = &f.tests, &f.cliTests
		} else {
			f.packages[path.Dir(name)] = true
		}
		all.add(c)
		if path.Dir(name) == "internal/cli" {
			cli.add(c)
		}
	}
	return f, nil
}

func count(name string, text []byte) (counts, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return counts{}, err
	}
	c := counts{lines: bytes.Count(text, []byte("\n"))}
	if c.lines > 300 {
		c.longFiles = 1
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && lines(fset, f) > 40 {
			c.longFuncs++
		}
	}
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) > 0 {
			c.filled++
		}
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if alone(fset, text, comment) {
				c.comments += lines(fset, comment)
			}
		}
	}
	return c, nil
}

// lines is how many lines a node is on.
func lines(fset *token.FileSet, n ast.Node) int {
	return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
}

// alone reports whether the comment is alone on its line.
func alone(fset *token.FileSet, text []byte, n ast.Node) bool {
	at := fset.Position(n.Pos())
	return len(bytes.TrimSpace(text[at.Offset-at.Column+1:at.Offset])) == 0
}
