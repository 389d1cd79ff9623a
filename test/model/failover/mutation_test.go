package failover

import (
	"strings"
	"testing"
)

// TestMutations checks that the explorer finds a violation for each mutation, and that the shortest path to the
// violation has the expected length. With -v it prints the path.
func TestMutations(t *testing.T) {
	small := Config{Epochs: 2, Batches: 1, Losses: 1, Running: true}
	epochs := Config{Epochs: 3, Batches: 1, Losses: 1, Running: true}
	noLoss := Config{Epochs: 3, Batches: 2, Running: true}
	fresh := Config{Epochs: 2, Batches: 1, Losses: 1}
	atOnce := Config{Epochs: 2, Batches: 2, Losses: 2, AtOnce: true}
	const (
		lacks    = "lacks an acknowledged batch"
		gone     = "no disk has an acknowledged batch"
		contrary = "a reply contradicts an earlier reply"
		stuck    = "the shard never acknowledges again"
	)
	for _, c := range []struct {
		mutation Mutation
		config   Config
		want     string
		steps    int
		states   int // number of states of the exploration; 0 means few
	}{
		{NoFreeze, small, lacks, 6, 0},
		{NoCompare, small, lacks, 6, 0},
		{CompareSeqOnly, noLoss, lacks, 12, 118_391},
		{PositionBeforeFreeze, small, lacks, 7, 0},
		{VoteTwice, small, gone, 15, 58_672},
		{EmptyVotes, small, lacks, 7, 0},
		{EmptyJoinsAlone, small, lacks, 9, 0},
		{EmptyJoinsByOldAgreement, small, lacks, 11, 101_655},
		{EmptyAgrees, atOnce, contrary, 28, 598_173},
		{NoMark, small, gone, 3, 0},
		{BootstrapByFlag, fresh, gone, 10, 0},
		{InitOnce, Config{Epochs: 3}, stuck, 2, 0},
		{InitIgnoresDisk, Config{Epochs: 3, Batches: 1, Running: true, Interrupt: true}, lacks, 18, 136_710},
		{FollowIgnoresPromise, small, lacks, 7, 0},
		{FollowIgnoresData, epochs, gone, 17, 384_486},
		{FollowBeforeFreeze, epochs, gone, 17, 1_054_419},
		{PromiseNotSynced, small, lacks, 8, 0},
		{RestartAsPrimary, small, gone, 12, 0},
		{PromoteAfterRestart, small, lacks, 8, 0},
		{RestartKeepsHistory, epochs, gone, 16, 208_689},
		{PromoteKeepsConnections, noLoss, contrary, 15, 592_128},
		{AckAlone, small, gone, 3, 0},
		{AckBeforeOwnDisk, small, gone, 4, 0},
		{NoWaitAOF, small, gone, 4, 0},
		{DropBeforeCopy, small, gone, 8, 0},
	} {
		t.Run(c.mutation.String(), func(t *testing.T) {
			skipLarge(t, c.states)
			m := Model{c.config}
			m.Mutation = c.mutation
			explore := m.Explore
			if c.want == stuck {
				explore = m.Live
			}
			r := explore()
			if !strings.Contains(r.Violation, c.want) || r.Steps != c.steps {
				t.Fatalf("explore: got %v, want the violation %q after %d steps", r, c.want, c.steps)
			}
			t.Log(r)
		})
	}
}
