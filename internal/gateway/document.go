package gateway

import (
	"bytes"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"
)

// Version is the version of the API. It changes with the document: a new route or member raises the
// minor version.
const Version = "1.0.0"

// newDocument returns the document without routes; registering a route adds it.
func newDocument(registry huma.Registry) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Rounds", Version: Version,
			Description: "Enqueue tasks on a practice's data, read cached views with their age, and follow changes as they happen. " +
				"A key gives access to the data of one tenant.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/", Description: "The gateway that serves this document."}},
		Tags: []*huma.Tag{
			{Name: "tasks", Description: "Tasks, and changes at the vendor that lead to tasks."},
			{Name: "views", Description: "Cached data, with its age."},
			{Name: "events", Description: "Changes, as they happen."},
		},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"key": {Type: "http", Scheme: "bearer", Description: "An API key that the gateway's operator issued."},
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

// dateSchema stands in for tasks.Date in schemas.
type dateSchema string

// Schema returns the schema of a date.
func (dateSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date", Description: "A day in the practice's own calendar."}
}
