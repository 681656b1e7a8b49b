package deploytest

import (
	_ "github.com/compose-spec/compose-go/v2/cli"
	_ "github.com/goccy/go-yaml"
	_ "github.com/moby/buildkit/frontend/dockerfile/instructions"
	_ "google.golang.org/api/run/v1"
	_ "github.com/workflow-bolt/rounds/internal/config"
	_ "github.com/workflow-bolt/rounds/internal/redistest"
	_ "github.com/workflow-bolt/rounds/internal/pgtest"
)
