package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

const (
	maxTenantsFile = 4 << 20
	maxColumn      = 4096 // bounds nesting: every level of block style needs at least two columns
	maxFlow        = 16   // levels of { and [
)

type rawFile struct {
	Tenants []rawTenant `yaml:"tenants"`
}

type rawTenant struct {
	ID       string            `yaml:"id"`
	TimeZone string            `yaml:"timezone"`
	Hours    map[string]string `yaml:"opening_hours"`
	Tebra    struct {
		CustomerKey string `yaml:"customer_key"`
		User        string `yaml:"user"`
		Password    string `yaml:"password"`
	} `yaml:"tebra"`
	Practices []rawPractice `yaml:"practices"`
	Weight    *int          `yaml:"weight"`
}

type rawPractice struct {
	ID       string `yaml:"id"`
	Name     string `yaml:"name"`
	TimeZone string `yaml:"timezone"`
}

const yamlFix = "docs/environment.md describes the file"

// parseTenants decodes strictly: it refuses unknown and repeated keys, anchors, aliases, merges,
// tags and a second document. It accepts a byte order mark. A fault has its kind and place only,
// because the parser's messages quote the file with its secrets.
func parseTenants(data string) (file rawFile, wrong, fix string) {
	data = strings.TrimPrefix(data, "\ufeff")
	if wrong, fix = scan(data); wrong != "" {
		return rawFile{}, wrong, fix
	}
	err := yaml.UnmarshalWithOptions([]byte(data), &file, yaml.Strict())
	if err == nil {
		return file, "", ""
	}
	place := ""
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil && at.GetToken().Position != nil {
		p := at.GetToken().Position
		place = fmt.Sprintf(" at line %d, column %d", p.Line, p.Column)
	}
	var unknown *yaml.UnknownFieldError
	var kind *yaml.TypeError
	var node *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &unknown):
		return rawFile{}, "has an unknown key" + place, "check its spelling"
	case errors.As(err, &kind), errors.As(err, &node):
		return rawFile{}, "has a value of the wrong kind" + place, yamlFix
	}
	return rawFile{}, "is not valid YAML" + place, "check that place for a typing error or a repeated key"
}

// scan refuses input that would cost the parser far more than its size suggests. It reads the flat
// list of tokens.
func scan(data string) (wrong, fix string) {
	flow, separators := 0, 0
	for _, t := range lexer.Tokenize(data) {
		line := 0
		if t.Position != nil {
			line = t.Position.Line
			if t.Position.Column > maxColumn {
				return fmt.Sprintf("is nested too deeply or has too long a line at line %d", line), yamlFix
			}
		}
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType, token.TagType:
			return fmt.Sprintf("uses an anchor, an alias, a merge or a tag at line %d", line), "write the value out"
		case token.MappingStartType, token.SequenceStartType:
			if flow++; flow > maxFlow {
				return fmt.Sprintf("is nested too deeply at line %d", line), yamlFix
			}
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.DocumentHeaderType:
			if separators++; separators > 1 || line > 1 && separators > 0 && t.Prev != nil && t.Prev.Type != token.CommentType {
				return fmt.Sprintf("holds a second document at line %d", line), "keep one document"
			}
		}
	}
	return "", ""
}
