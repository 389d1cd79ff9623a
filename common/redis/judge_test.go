package redis

import (
	"slices"
	"testing"

	"checkout/common/api"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	primary := nodeReply{reached: true, master: true, epoch: 3, sequence: 90}
	on, off := map[string]string{"aof_enabled": "1"}, map[string]string{"aof_enabled": "0"}
	replica := nodeReply{reached: true, connected: true, epoch: 3, sequence: 88, info: on}
	for name, tt := range map[string]struct {
		replies []nodeReply
		roles   []string
		lags    []int64
	}{
		"all in sync": {
			[]nodeReply{replica, primary, replica},
			[]string{api.NodeReplica, api.NodePrimary, api.NodeReplica}, []int64{2, 0, 2},
		},
		"a dead node, and a node that copies the data": {
			[]nodeReply{primary, {}, {reached: true, epoch: 1, sequence: 10}},
			[]string{api.NodePrimary, api.NodeUnreachable, api.NodeSyncing}, []int64{0, 0, 80},
		},
		"a node that has a copy of the data in memory only": {
			[]nodeReply{primary, {reached: true, connected: true, unwritten: true, epoch: 3, sequence: 89, info: on}, replica},
			[]string{api.NodePrimary, api.NodeSyncing, api.NodeReplica}, []int64{0, 1, 2},
		},
		"a node without an append-only file": {
			[]nodeReply{primary, {reached: true, connected: true, epoch: 3, sequence: 90, info: off}, replica},
			[]string{api.NodePrimary, api.NodeSyncing, api.NodeReplica}, []int64{0, 0, 2},
		},
		"a node that loads its data": {
			[]nodeReply{primary, {reached: true, loading: true, connected: true}, replica},
			[]string{api.NodePrimary, api.NodeSyncing, api.NodeReplica}, []int64{0, 0, 2},
		},
		"an old primary, and the replica that follows it": {
			[]nodeReply{
				{reached: true, master: true, epoch: 2, sequence: 95}, {reached: true, connected: true, epoch: 2}, primary,
			},
			[]string{api.NodeOutdated, api.NodeSyncing, api.NodePrimary}, []int64{0, 90, 0},
		},
		"an old primary; this instance does not reach the new one": {
			[]nodeReply{{reached: true, master: true, epoch: 2}, replica, {}},
			[]string{api.NodeOutdated, api.NodeReplica, api.NodeUnreachable}, []int64{0, 0, 0},
		},
		"an election": {
			[]nodeReply{{}, {reached: true, frozen: true, epoch: 3}, {reached: true, frozen: true, epoch: 3}},
			[]string{api.NodeUnreachable, api.NodeFrozen, api.NodeFrozen}, []int64{0, 0, 0},
		},
		"new nodes without a primary": {
			[]nodeReply{{reached: true, frozen: true}, {reached: true, frozen: true}, {reached: true, master: true}},
			[]string{api.NodeFrozen, api.NodeFrozen, api.NodeOutdated}, []int64{0, 0, 0},
		},
	} {
		var roles []string
		var lags []int64
		for i, s := range judge(tt.replies) {
			if s.Node != i || s.Epoch != tt.replies[i].epoch {
				t.Errorf("%s: got the state %+v, want node %d with the epoch of its reply", name, s, i)
			}
			roles, lags = append(roles, s.Role), append(lags, s.Lag)
		}
		if !slices.Equal(roles, tt.roles) || !slices.Equal(lags, tt.lags) {
			t.Errorf("%s: got the roles %v and the lags %v, want %v and %v", name, roles, lags, tt.roles, tt.lags)
		}
	}
}
