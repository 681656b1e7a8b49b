package lifecycle

import (
	"runtime"
	"runtime/debug"
)

// Build is what the linker knows about the program that runs.
type Build struct {
	Version  string `json:"version"`           // "(devel)" when built from a checkout without a tag, "unknown" when nobody knows
	Revision string `json:"revision,omitzero"` // of the version control; empty when built without it
	Modified bool   `json:"modified"`          // built with changes that are not in the revision
	Go       string `json:"go"`                // the toolchain, "go1.26.0"
}

// ReadBuild returns this program's build.
func ReadBuild() Build {
	b := Build{Version: "unknown", Go: runtime.Version()}
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
