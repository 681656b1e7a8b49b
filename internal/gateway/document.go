package gateway

import (
	"bytes"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// Version is the version of the API. It moves with the document: a new route or member is a minor one.
const Version = "1.0.0"

// newDocument returns the document's frame, to which each route adds itself.
func newDocument(registry huma.Registry) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Rounds", Version: Version,
			Description: "Ask for work on a practice's data, read what is known of it with its age, and follow what changes. " +
				"A key reaches the data of one tenant.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/", Description: "The gateway that serves this document."}},
		Tags: []*huma.Tag{
			{Name: "tasks", Description: "Work that is asked for."},
			{Name: "views", Description: "What is known, and how old it is."},
			{Name: "events", Description: "What changes, as it changes."},
		},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"key": {Type: "http", Scheme: "bearer", Description: "A key that the gateway's operator gave out."},
			},
		},
		Security: []map[string][]string{{"key": {}}},
	}
}

// Document returns the OpenAPI document, indented.
func (g *Gateway) Document() ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, g.document, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// dateSchema describes a day in a schema.
type dateSchema string

// Schema is how huma learns the form.
func (dateSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date", Description: "A day in the practice's own calendar."}
}
