package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// readFile returns a file's contents, or what is wrong and how to fix it. It opens regular files
// only: a pipe would block, and a device may never end. With private set, it refuses a file that
// all users can read, unless no user can write it: container platforms mount secrets with mode
// 0444, in a container that has no other users.
func readFile(path string, limit int64, private bool) (data, wrong, fix string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "names a file that does not exist", "check the path"
	case err != nil:
		return "", "names a file that cannot be examined", "check the path and its permissions"
	case !info.Mode().IsRegular():
		return "", "names something that is not a regular file", "check the path"
	case private && info.Mode().Perm()&0o004 != 0 && info.Mode().Perm()&0o222 != 0:
		return "", "names a file that all users can read", "chmod 600 it"
	}
	f, err := os.Open(path)
	if err != nil {
		return "", "names a file that cannot be opened", "allow the process's user to read it"
	}
	defer func() { _ = f.Close() }()
	// The limit applies to what is read, because the file may have grown since Stat.
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", "names a file that cannot be read", "check its disk"
	}
	if int64(len(b)) > limit {
		return "", "names a file that is too large", fmt.Sprintf("keep it below %d bytes", limit)
	}
	return string(b), "", ""
}
