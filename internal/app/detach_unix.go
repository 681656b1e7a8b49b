//go:build unix

package app

import (
	"os/exec"
	"syscall"
)

// detach keeps an interrupt at the terminal from a child: redis-server would end at once, under the worker that drains.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
