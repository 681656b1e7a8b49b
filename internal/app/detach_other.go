//go:build !unix

package app

import "os/exec"

// detach does nothing: no redis-server runs here.
func detach(*exec.Cmd) {}
