package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the linker knows about this program.
type build struct {
	Version  string `json:"version"` // "(devel)" when built from a checkout without a tag
	Revision string `json:"revision,omitzero"`
	Modified bool   `json:"modified"` // built with changes that are not in the revision
	Go       string `json:"go"`
}

func readBuild() build {
	b := build{Version: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			return e.answer(b, func(w io.Writer) { _, _ = fmt.Fprintf(w, "rounds %s %s\n", b.Version, b.Go) })
		},
	}
}
