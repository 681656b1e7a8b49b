//go:build unix

package app

import (
	"os/exec"
	"syscall"
)

// detach moves a child to its own process group, so that an interrupt at the terminal does not end
// redis-server while the worker drains.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
