package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// plant is one sentence or one name, and what the rules must answer.
type plant struct {
	where  string // folder
	text   string
	name   bool   // text is a declared name
	better string // what the refusal names; empty when the text is fine
}

// prove plants every sentence of a list in a file of each format, and declares every name. It fails
// unless each is refused with its better word, or passes when the list says that it is fine.
func (c checker) prove(ctx context.Context, list string) (refused, fine int, err error) {
	plants, err := readPlants(list)
	if err != nil {
		return 0, 0, err
	}
	folder, err := os.MkdirTemp("", "words")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	var files []string
	for i, p := range plants {
		for name, content := range p.files(i) {
			if err := write(filepath.Join(folder, name), content); err != nil {
				return 0, 0, err
			}
			files = append(files, name)
		}
	}
	faults, err := c.prose(ctx, folder, files)
	if err != nil {
		return 0, 0, err
	}
	found := map[string]string{}
	for _, f := range faults {
		found[f.file] += f.text + "\n"
	}
	for i, p := range plants {
		if p.name {
			better, _ := c.retired(p.where+"/x.go", p.text)
			err = p.expect("name", better)
		}
		for name := range p.files(i) {
			if err == nil {
				err = p.expect(filepath.Ext(name), found[name])
			}
		}
		if err != nil {
			return 0, 0, err
		}
		if p.better != "" {
			refused++
		}
	}
	return refused, len(plants) - refused, nil
}

// readPlants reads lines of the form "where | text | better".
func readPlants(list string) ([]plant, error) {
	text, err := lines(list)
	if err != nil {
		return nil, err
	}
	var plants []plant
	for _, line := range text {
		part := strings.Split(line, " | ")
		if len(part) != 3 {
			return nil, fmt.Errorf("%s: %q is not where | text | better", list, line)
		}
		p := plant{where: part[0], better: part[2]}
		p.text, p.name = strings.CutPrefix(part[1], "name ")
		if p.better == "ok" {
			p.better = ""
		}
		plants = append(plants, p)
	}
	return plants, nil
}

// files returns the files that a sentence is planted in, by name.
func (p plant) files(i int) map[string]string {
	if p.name {
		return nil
	}
	base := fmt.Sprintf("%s/p%d", p.where, i)
	files := map[string]string{}
	for ext, around := range formats {
		files[base+ext] = fmt.Sprintf(around, p.text)
	}
	return files
}

// formats holds a file of each format that a sentence is planted in, by the extension.
var formats = map[string]string{
	".go":  "package p\n\n// %s\nfunc f() {}\n",
	".py":  "# %s\nx = 1\n",
	".ts":  "// %s\nlet x = 1;\n",
	".js":  "// %s\nlet x = 1;\n",
	".css": "/* %s */\nmain { margin: 0; }\n",
	".md":  "# Title\n\n%s\n",
}

// expect compares what the rules say about a plant with what they must say.
func (p plant) expect(where, said string) error {
	switch {
	case p.better == "" && said != "":
		return fmt.Errorf("plants: %s: %q is fine and is refused: %s", where, p.text, said)
	case !strings.Contains(said, p.better) || p.better != "" && said == "":
		return fmt.Errorf("plants: %s: %q must be refused with %q, got %q", where, p.text, p.better, said)
	}
	return nil
}

func write(name, content string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(content), 0o600)
}
