package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"checkout/test/check"
	"checkout/test/stack"
)

// nodeDisk is the size of each node's disk. The disk is a tmpfs, which takes memory only for its files.
const nodeDisk = "512m"

// refusalKinds are faults that make a node refuse to work, although its machine and its network are healthy.
var refusalKinds = []*failoverKind{
	{kind: "disk of the primary full", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.fillDisk(ctx, r.primary)
	}},
	{kind: "disk of a replica full", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.fillDisk(ctx, r.others[0])
	}},
	{kind: "password of the primary changed", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.changePassword(ctx, r.primary)
	}},
	{kind: "password of a replica changed", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.changePassword(ctx, r.others[0])
	}},
}

// nodeDisks is a folder with a disk for each node. Only root can mount disks. If another user runs the tests, the nodes
// share the disk of the host, and no disk is filled.
type nodeDisks struct {
	dir     string
	unmount []func() error

	mu    sync.Mutex
	exits map[string]chan struct{} // by component that may exit; a channel is closed when its component exits
}

func newNodeDisks(nodes []string) (d *nodeDisks, err error) {
	d = &nodeDisks{exits: map[string]chan struct{}{}}
	if d.dir, err = os.MkdirTemp("", "checkout-failover-"); err != nil || os.Geteuid() != 0 {
		return d, err
	}
	for _, node := range nodes {
		disk := filepath.Join(d.dir, node)
		if err := os.Mkdir(disk, 0o755); err != nil {
			return d, err
		}
		unmount, err := stack.MountDisk(disk, nodeDisk)
		if err != nil {
			return d, err
		}
		d.unmount = append(d.unmount, unmount)
	}
	return d, nil
}

// close unmounts and removes the disks.
func (d *nodeDisks) close() (err error) {
	for _, unmount := range d.unmount {
		err = errors.Join(err, unmount())
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

// expectExit marks the next exit of a component as expected, so the exit is not a violation. The returned channel is
// closed at this exit.
func (d *nodeDisks) expectExit(name string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exits[name] = make(chan struct{})
	return d.exits[name]
}

// exited records the exit of a component, and reports whether the exit was expected.
func (d *nodeDisks) exited(name string) (expected bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	exit, expected := d.exits[name]
	if expected {
		close(exit)
		delete(d.exits, name)
	}
	return expected
}

// fillDisk fills the disk of a node and waits until the Redis of the node exits. Some time later, fillDisk frees space
// and starts the Redis again.
func (r *replicaSet) fillDisk(ctx context.Context, node int) error {
	if len(r.disks.unmount) == 0 {
		return nil
	}
	dir, name := r.nodes[node].Dir, r.redis(node)
	exit := r.disks.expectExit(name)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return err
	}
	used := (disk.Blocks - disk.Bfree) * uint64(disk.Bsize)
	if err := stack.ResizeDisk(dir, fmt.Sprint(used+uint64(disk.Bsize))); err != nil {
		return err
	}
	err := check.Poll(ctx, exitWithin, func(context.Context) error {
		select {
		case <-exit:
			return nil
		default:
			return fmt.Errorf("the disk of %s is full, but its Redis has not exited", name)
		}
	})
	sleep(ctx, r.down())
	return errors.Join(err, stack.ResizeDisk(dir, nodeDisk), r.start(ctx, name))
}

// changePassword makes a node reject its keeper, the services and the other nodes for some time.
func (r *replicaSet) changePassword(ctx context.Context, node int) error {
	c := r.client(node)
	defer c.Close()
	conn := c.Conn() // stays logged in after the change of the password
	defer conn.Close()
	for _, command := range [][]any{
		{"CONFIG", "SET", "requirepass", "another password"},
		{"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"},
		{"CLIENT", "KILL", "TYPE", "replica"},
	} {
		if err := conn.Do(ctx, command...).Err(); err != nil {
			return err
		}
	}
	sleep(ctx, r.paused())
	return conn.Do(ctx, "CONFIG", "SET", "requirepass", "").Err()
}
