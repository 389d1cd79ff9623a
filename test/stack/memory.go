package stack

import "syscall"

const (
	memoryDir = "/dev/shm" // Linux keeps its files in memory
	minMemory = 2 << 30    // bytes; many systems share the space
)

// temporary returns the directory in which a system creates its temporary directory, or "" for the default.
func (c Config) temporary() string {
	var space syscall.Statfs_t
	if !c.InMemory || syscall.Statfs(memoryDir, &space) != nil || space.Bavail*uint64(space.Bsize) < minMemory {
		return ""
	}
	return memoryDir
}
