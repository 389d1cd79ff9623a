package stack

import (
	"os"
	"syscall"
)

// UseMemory makes this process store temporary files, such as the data of systems, in memory, unless TMPDIR is set or
// there is too little space. Redis syncs each write, and on a disk that other programs use, a sync may take seconds. A
// killed Redis loses no data, because the kernel keeps the files in memory.
func UseMemory() {
	const shm, space = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(shm, &fs) == nil && fs.Bavail*uint64(fs.Bsize) >= space {
		os.Setenv("TMPDIR", shm)
	}
}
