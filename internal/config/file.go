package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// readFile returns a file's contents, or what is wrong and how to fix it. Anything but a regular file is refused before
// it is opened: a pipe would block and a device never end. With private set, a file that everybody may read is refused,
// unless nobody may write it: container platforms mount secrets as 0444, into a container where nobody else is.
func readFile(path string, limit int64, private bool) (data, wrong, fix string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "names a file that does not exist", "check the path"
	case err != nil:
		return "", "names a file that cannot be looked at", "check the path and its permissions"
	case !info.Mode().IsRegular():
		return "", "names something that is not a file", "check the path"
	case private && info.Mode().Perm()&0o004 != 0 && info.Mode().Perm()&0o222 != 0:
		return "", "names a file that everybody may read", "chmod 600 it"
	}
	f, err := os.Open(path)
	if err != nil {
		return "", "names a file that cannot be opened", "let the process's user read it"
	}
	defer func() { _ = f.Close() }()
	// The limit holds for what is read, not for what Stat said: the file may grow in between.
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", "names a file that cannot be read", "check the disk it is on"
	}
	if int64(len(b)) > limit {
		return "", "names a file that is too large", fmt.Sprintf("keep it below %d bytes", limit)
	}
	return string(b), "", ""
}
