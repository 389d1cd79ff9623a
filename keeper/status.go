package main

import (
	"time"

	"checkout/common/version"
	"checkout/keeper/rule"
	"checkout/keeper/status"
)

// status returns the status of this node. It sends no command and no request.
func (k *keeper) status() status.Node {
	k.mu.Lock()
	defer k.mu.Unlock()
	o, now := k.observed, time.Now()
	s := status.Node{
		Shard: k.config.ShardName(), Node: k.config.Node, Addr: k.config.Nodes[k.config.Node], Promised: k.member.Promised(),
		Epoch: o.Position.Epoch, Seq: o.Position.Seq, RunID: o.RunID, Version: version.Get(),
	}
	led := now.Sub(k.lastBeat) < electTimeout
	s.Role = k.role(s.Promised)
	// An update or a drain stops the next node as soon as this node is ready. So a replica is ready only while it is in
	// sync with a primary. An uninitialized node is ready until it receives a beat, because a new shard has no primary.
	s.Ready = s.Role == status.Primary || s.Role == status.Replica && led && k.inSync ||
		s.Role == status.Uninitialized && k.primary.Epoch == 0
	if !o.Master && o.Follows != rule.Frozen {
		s.Follows = o.Follows
	}
	switch {
	case k.problem != nil:
		s.Problem = k.problem.Error()
	case s.Role == status.Foreign:
		s.Problem = rule.ErrForeign.Error()
	case s.Role == status.Copying && o.Unwritten:
		s.Problem = "writes the copy to its append-only file"
	case led && !s.Ready && k.waits != "":
		s.Problem = k.waits
	case (s.Role == status.Empty || s.Role == status.Uninitialized) && led:
		s.Problem = "waits for its turn to copy the data of the primary"
	case s.Role == status.Connecting && led:
		s.Problem = "does not receive the writes of the primary"
	case s.Role == status.Replica && led && !s.Ready:
		s.Problem = "lacks recent writes of the primary"
	case !s.Ready && !led:
		s.Problem = "there is no primary"
	}
	if s.Role == status.Replica || s.Role == status.Connecting {
		s.Lag = k.lag
	}
	if s.Role == status.Primary {
		acks := k.recentAcks(now)
		for _, node := range k.others() {
			f := status.ReplicaState{Node: node, Problem: "no recent answer"}
			if err := k.acks[node].err; err != nil {
				f.Problem = err.Error()
			}
			if a, ok := acks[node]; ok {
				f = status.ReplicaState{
					Node: node, Seen: true, InSync: a.InSync, Lag: max(0, o.Position.Seq-a.Position.Seq), Problem: a.Problem,
				}
			}
			s.Replicas = append(s.Replicas, f)
		}
	}
	return s
}

// role returns the role of this node: a constant of package status. The caller holds the mutex.
func (k *keeper) role(promised int64) string {
	o := k.observed
	switch {
	case k.problem != nil:
		return status.Unreachable
	case o.Loading || o.Syncing || o.Unwritten && o.LinkUp:
		return status.Copying
	case k.leads > 0 && o.Master && o.Position.Epoch == promised:
		return status.Primary
	case o.Foreign():
		return status.Foreign
	case o.Empty() && promised == 0 && (o.Master || o.Frozen()):
		return status.Uninitialized
	case o.Empty() && (o.Master || o.Frozen()):
		return status.Empty
	case o.Master || o.Frozen():
		return status.Frozen
	case o.LinkUp:
		return status.Replica
	}
	return status.Connecting
}
