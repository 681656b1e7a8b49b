package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// skewVariable holds how far the clock of a process of the skewed program is off, as a number of
// seconds.
const skewVariable = "ROUNDS_BENCH_SKEW"

// skewSource replaces the beginning of time.Now in the standard library. Package time must not
// import os; the environment comes from syscall, as in its code for time zones.
const (
	nowSource  = "\tsec, nsec, mono := runtimeNow()\n"
	skewSource = nowSource + "\tsec += benchSkew\n"
	skewInit   = `package time

import "syscall"

var benchSkew = func() (seconds int64) {
	text, _ := syscall.Getenv("` + skewVariable + `")
	negative := len(text) > 0 && text[0] == '-'
	for i := range len(text) {
		if '0' <= text[i] && text[i] <= '9' {
			seconds = 10*seconds + int64(text[i]-'0')
		}
	}
	if negative {
		return -seconds
	}
	return seconds
}()
`
)

// BuildSkewed builds this program, with a standard library whose wall clock an environment variable
// can shift, into dir. It needs the Go toolchain and the bench's sources.
func BuildSkewed(ctx context.Context, dir string) (path string, err error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the standard library: %w", err)
	}
	source := filepath.Join(string(bytes.TrimSpace(root)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	if bytes.Count(text, []byte(nowSource)) != 1 {
		return "", errors.New("time.Now of this Go release is not as expected")
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		source: in("time.go"), filepath.Join(filepath.Dir(source), "benchskew.go"): in("skew.go"),
	}})
	if err != nil {
		return "", err
	}
	path = in("skewed")
	if err := errors.Join(
		os.WriteFile(in("time.go"), bytes.Replace(text, []byte(nowSource), []byte(skewSource), 1), 0o600),
		os.WriteFile(in("skew.go"), []byte(skewInit), 0o600),
		os.WriteFile(in("overlay.json"), overlay, 0o600),
	); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", in("overlay.json"), "-o", path, "github.com/workflow-bolt/rounds/bench") //nolint:gosec // its own folder
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with a shifted clock: %w\n%s", err, out)
	}
	return path, nil
}

// Skewed returns a program whose clock is off.
func Skewed(path string, skew time.Duration) Program {
	return Program{Path: path, Env: []string{fmt.Sprintf("%s=%d", skewVariable, int(skew.Seconds()))}}
}
