package failover

// Config selects what an exploration covers.
type Config struct {
	Epochs    int  // highest epoch, 1 to 4
	Batches   int  // maximum number of batches, 0 to 7
	Losses    int  // maximum number of lost disks, 0 to 3
	Running   bool // start with three nodes that have the same data, not with three empty nodes
	AtOnce    bool // a disk may be lost while the replacement of another disk has no full copy yet
	Death     bool // a machine may be lost for good
	Freezes   bool // a Redis may be frozen at any time, and a keeper may promise without a vote; see the package comment
	Interrupt bool // a full copy may be interrupted after the node has dropped the data in its memory
	LateEpoch bool // a new primary may execute batches before it writes its epoch
	Mutation  Mutation
}

// Mutation is a part of the rule that the model breaks on purpose, so that an exploration finds a violation. The value
// Correct breaks nothing.
type Mutation uint8

const (
	Correct Mutation = iota
	NoFreeze
	NoCompare
	CompareSeqOnly
	PositionBeforeFreeze
	VoteTwice
	EmptyVotes
	EmptyJoinsAlone
	EmptyJoinsByOldAgreement
	EmptyAgrees
	NoMark
	BootstrapByFlag
	InitOnce
	InitIgnoresDisk
	FollowIgnoresPromise
	FollowIgnoresData
	FollowBeforeFreeze
	PromiseNotSynced
	RestartAsPrimary
	PromoteAfterRestart
	RestartKeepsHistory
	PromoteKeepsConnections
	AckAlone
	AckBeforeOwnDisk
	NoWaitAOF
	DropBeforeCopy
)

// mutationNames describe the effect of each mutation.
var mutationNames = [...]string{
	Correct:                  "correct",
	NoFreeze:                 "a vote does not freeze",
	NoCompare:                "a vote does not compare positions",
	CompareSeqOnly:           "a vote compares only the sequence numbers",
	PositionBeforeFreeze:     "a voter reads its position before it freezes",
	VoteTwice:                "a keeper votes twice in an epoch",
	EmptyVotes:               "an empty node votes",
	EmptyJoinsAlone:          "an empty node follows without agreement",
	EmptyJoinsByOldAgreement: "an empty node follows by an agreement from before it was empty",
	EmptyAgrees:              "an empty node counts as agreeing",
	NoMark:                   "a batch that only reads does not end with a write",
	BootstrapByFlag:          "a flag makes an empty node the first primary",
	InitOnce:                 "keeper init works only once",
	InitIgnoresDisk:          "keeper init counts a node as empty whose disk has data",
	FollowIgnoresPromise:     "a node follows a primary below its promise",
	FollowIgnoresData:        "a node follows a primary below the epoch in its data",
	FollowBeforeFreeze:       "a node reads the epoch in its data before it freezes and follows",
	PromiseNotSynced:         "a promise is not synced",
	RestartAsPrimary:         "a primary restarts as primary",
	PromoteAfterRestart:      "a candidate is promoted although its Redis restarted",
	RestartKeepsHistory:      "a Redis that restarts keeps its replication history",
	PromoteKeepsConnections:  "a promotion keeps the connections of clients",
	AckAlone:                 "the primary alone acknowledges",
	AckBeforeOwnDisk:         "the primary acknowledges before the batch is on its own disk",
	NoWaitAOF:                "a batch in the memory of a replica counts as a copy",
	DropBeforeCopy:           "a node drops its data before a full copy has come",
}

func (m Mutation) String() string { return mutationNames[m] }
