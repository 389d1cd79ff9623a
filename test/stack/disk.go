package stack

import (
	"fmt"
	"syscall"
)

// MountDisk mounts an in-memory disk of a size such as "8m" at an existing directory. It needs root and the permission
// to mount. ResizeDisk changes the size. The returned function removes the disk.
func MountDisk(dir, size string) (unmount func() error, err error) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		return nil, fmt.Errorf("mount a disk of %s at %s: %w", size, dir, err)
	}
	return func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) }, nil
}

// ResizeDisk changes the size of a mounted disk.
func ResizeDisk(dir, size string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		return fmt.Errorf("resize the disk at %s to %s: %w", dir, size, err)
	}
	return nil
}
