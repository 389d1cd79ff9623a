// Package status describes the nodes of a replicated shard: the JSON of a keeper's GET /status, and a table for people.
package status

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"text/tabwriter"

	"checkout/keeper/rule"
)

// Roles of a node.
const (
	Primary       = "primary"
	Replica       = "replica"       // receives and acknowledges the primary's writes
	Connecting    = "connecting"    // follows a node, but does not receive its writes
	Copying       = "copying"       // receives or loads a copy of all data, or writes it to its append-only file
	Frozen        = "frozen"        // follows no node
	Empty         = "empty"         // has no data of this shard, and follows no node
	Uninitialized = "uninitialized" // empty, and its keeper has no promise
	Foreign       = "foreign"       // has data that belongs to no replicated shard
	Unreachable   = "unreachable"   // the keeper cannot use its Redis, or the keeper does not reply
)

// Node is the status of a node, as its keeper knows it.
type Node struct {
	Shard    string         `json:"shard"`
	Node     int            `json:"node"`
	Addr     string         `json:"addr"` // address of the Redis, as the other nodes reach it
	Role     string         `json:"role"`
	Epoch    int64          `json:"epoch"`    // epoch of the data
	Seq      int64          `json:"seq"`      // write sequence of the data
	Promised int64          `json:"promised"` // the node takes part in no older epoch
	Follows  string         `json:"follows,omitempty"`
	Lag      int64          `json:"lag"` // batches that the primary has and this node does not have yet
	Ready    bool           `json:"ready"`
	Problem  string         `json:"problem,omitempty"`
	Replicas []ReplicaState `json:"replicas,omitempty"` // the other nodes, if this node is primary
	RunID    string         `json:"run_id,omitempty"`   // run ID of the Redis process
	Version  string         `json:"version,omitempty"`  // version of the keeper
}

// ReplicaState is what a primary knows of another node.
type ReplicaState struct {
	Node    int    `json:"node"`
	Seen    bool   `json:"seen"` // its keeper has replied recently
	InSync  bool   `json:"in_sync"`
	Lag     int64  `json:"lag"`
	Problem string `json:"problem,omitempty"`
}

// View returns the part of the status that an empty node reads from the others before it follows a primary.
func (n Node) View() rule.View {
	return rule.View{Node: n.Node, Promised: n.Promised, Primary: n.Role == Primary}
}

// Get asks the keeper at addr for its status.
func Get(ctx context.Context, client *http.Client, addr string) (Node, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/status", nil)
	if err != nil {
		return Node{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return Node{}, err
	}
	defer response.Body.Close()
	var node Node
	if response.StatusCode != http.StatusOK {
		return Node{}, fmt.Errorf("status %d", response.StatusCode)
	}
	err = json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&node)
	return node, err
}

// GetAll asks the keepers of all nodes. A node whose keeper does not reply is Unreachable.
func GetAll(ctx context.Context, client *http.Client, keepers, nodes []string) []Node {
	all := make([]Node, len(keepers))
	var wait sync.WaitGroup
	for i, addr := range keepers {
		wait.Go(func() {
			node, err := Get(ctx, client, addr)
			if err != nil {
				node = Node{Node: i, Addr: nodes[i], Role: Unreachable, Problem: "keeper: " + err.Error()}
			}
			all[i] = node
		})
	}
	wait.Wait()
	return all
}

// Healthy reports whether the shard can acknowledge writes: there is a primary and a replica.
func Healthy(nodes []Node) bool {
	primary, replica := false, false
	for _, n := range nodes {
		primary = primary || n.Role == Primary
		replica = replica || n.Role == Replica
	}
	return primary && replica
}

// Write writes the nodes as a table that people can read.
func Write(out io.Writer, nodes []Node) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tREDIS\tROLE\tEPOCH\tSEQ\tLAG\tPROMISED\tKEEPER")
	for _, n := range nodes {
		lag, state := "-", "ready"
		if n.Role == Replica || n.Role == Connecting {
			lag = fmt.Sprint(n.Lag)
		}
		if !n.Ready {
			state = "not ready"
		}
		if n.Problem != "" {
			state += ": " + strings.ReplaceAll(n.Problem, "\n", "; ")
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%d\t%s\t%d\t%s\n", n.Node, n.Addr, n.Role, n.Epoch, n.Seq, lag, n.Promised, state)
	}
	w.Flush()
}
