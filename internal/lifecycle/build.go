package lifecycle

import (
	"runtime"
	"runtime/debug"
)

// Build describes the running program, as the linker recorded it.
type Build struct {
	Version  string `json:"version"`           // "(devel)" for a checkout without a tag, "unknown" without build information
	Revision string `json:"revision,omitzero"` // commit; empty when built without version control
	Modified bool   `json:"modified"`          // whether the build has changes that are not in the revision
	Go       string `json:"go"`                // toolchain, such as "go1.26.0"
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
