//go:build !unix

package app

import "os/exec"

// detach does nothing: redis-server does not run on this platform.
func detach(*exec.Cmd) {}
