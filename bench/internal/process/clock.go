package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// On a host whose clock was set wrongly, the times that a process writes are wrong, and the
// durations that it measures are right. No environment variable, library or namespace of the system
// does that to a Go program, which reads the clock without libc. A build with a changed standard
// library does, but takes minutes. Here, time.Now begins with a jump to skewedNow.

// base is a time with the shifted clock and the right monotonic reading.
var base time.Time

// CanSkew reports whether the clocks of processes can be shifted on this machine.
const CanSkew = runtime.GOOS == "linux" && runtime.GOARCH == "amd64"

// skewClock shifts the wall clock of this process. It must be called before other goroutines start.
func skewClock(by time.Duration) error {
	if by == 0 {
		return nil
	}
	if !CanSkew {
		return errors.New("clocks can be shifted on linux/amd64 only")
	}
	base = time.Now()
	shift(&base, by)
	if err := redirect(time.Now, skewedNow); err != nil {
		return fmt.Errorf("shift the clock: %w", err)
	}
	return nil
}

// skewedNow replaces time.Now. The scheduler calls it too, so it must not make a system call;
// time.Since reads the monotonic clock alone.
func skewedNow() time.Time { return base.Add(time.Since(base)) }

// shift moves the wall clock's reading of a time and leaves the monotonic one: the seconds begin at
// bit 30 of the first word.
func shift(t *time.Time, by time.Duration) {
	*(*int64)(unsafe.Pointer(t)) += int64(by/time.Second) << 30 //nolint:gosec // the layout is that of the package's documents
}

// redirect overwrites the beginning of a function with a jump to another one.
func redirect(from, to func() time.Time) error {
	jump := []byte{0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0xff, 0xe3} // mov r11, to; jmp r11
	binary.LittleEndian.PutUint64(jump[2:], uint64(uintptr(code(to))))
	page := syscall.Getpagesize()
	before := int(uintptr(code(from)) % uintptr(page))
	size := (before + len(jump) + page - 1) / page * page
	pages := unsafe.Slice((*byte)(unsafe.Add(code(from), -before)), size) //nolint:gosec // the pages that hold the code
	if err := syscall.Mprotect(pages, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC); err != nil {
		return err
	}
	copy(pages[before:], jump)
	return syscall.Mprotect(pages, syscall.PROT_READ|syscall.PROT_EXEC)
}

// code returns where the code of a function begins: a function's value points to that address.
func code(of func() time.Time) unsafe.Pointer {
	return **(**unsafe.Pointer)(unsafe.Pointer(&of)) //nolint:gosec // see above
}
