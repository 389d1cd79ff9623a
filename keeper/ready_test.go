package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"checkout/keeper/status"
)

// A rolling update stops the next node when the restarted node is ready. So a node is not ready while it lacks data.
func TestReadiness(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(0)
	n, other := (p+1)%3, (p+2)%3
	for _, node := range s.nodes {
		client := node.admin()
		defer client.Close()
		if err := client.ConfigSet(t.Context(), "repl-timeout", "600").Err(); err != nil {
			t.Fatal(err)
		}
	}

	// The node replicates through a proxy. The proxy stops forwarding, but closes no connection, so the link stays up.
	var stall sync.Mutex
	s.replicateThrough(n, p, &stall)
	s.eventually("the node is ready", func() bool { return s.readiness(n) == http.StatusOK })
	stall.Lock()
	client := s.nodes[p].admin()
	defer client.Close()
	if err := client.Incr(t.Context(), "{o0}seq").Err(); err != nil {
		t.Fatal(err)
	}
	s.eventually("the primary finds that the node is not in sync", func() bool {
		for _, r := range s.status()[p].Replicas {
			if r.Node == n && r.Seen {
				return !r.InSync
			}
		}
		return false
	})
	s.eventually("the node is a replica with a problem and not ready", func() bool {
		got := s.status()[n]
		return s.readiness(n) == http.StatusServiceUnavailable && got.Role == status.Replica && got.Problem != ""
	})
	stall.Unlock()
	s.eventually("the node is ready again", func() bool { return s.readiness(n) == http.StatusOK })

	// An empty node follows a primary only if both other keepers run and acknowledge this primary.
	stop(s.nodes[other].keeper)
	s.wipe(n)
	s.startRedis(n)
	s.startKeeper(n)
	s.eventually("the empty node is not ready", func() bool {
		return s.status()[n].Role == status.Uninitialized && s.readiness(n) == http.StatusServiceUnavailable
	})
	s.startKeeper(other)
	s.eventually("the node has copied the data", func() bool { return s.readiness(n) == http.StatusOK })
}

// readiness returns the HTTP status of a keeper's response to /readyz, or 0 if it does not respond.
func (s *shard) readiness(i int) int {
	response, err := statusClient.Get("http://127.0.0.1:" + s.nodes[i].port + "/readyz")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// replicateThrough restarts the keeper of a node, so that the node replicates from another node through a proxy. While
// the mutex is locked, the proxy forwards nothing from the other node.
func (s *shard) replicateThrough(node, from int, stall *sync.Mutex) {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			replica, err := listener.Accept()
			if err != nil {
				return
			}
			primary, err := net.Dial("tcp", s.nodes[from].addr)
			if err != nil {
				replica.Close()
				continue
			}
			go func() {
				io.Copy(primary, replica)
				primary.Close()
			}()
			go func() {
				defer replica.Close()
				buffer := make([]byte, 64<<10)
				for {
					size, err := primary.Read(buffer)
					stall.Lock()
					replica.Write(buffer[:size])
					stall.Unlock()
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	stop(s.nodes[node].keeper)
	for i, variable := range s.nodes[node].keeperEnv {
		if strings.HasPrefix(variable, "NODES=") {
			s.nodes[node].keeperEnv[i] = strings.Replace(variable, s.nodes[from].addr, listener.Addr().String(), 1)
		}
	}
	s.startKeeper(node)
	s.eventually("the node replicates through the proxy", func() bool {
		n := s.status()[node]
		return n.Role == status.Replica && n.Follows == listener.Addr().String()
	})
}
