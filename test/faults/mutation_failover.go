package main

// Files that the mutations of replicated shards edit.
const (
	electGo     = "keeper/rule/elect.go"
	followGo    = "keeper/rule/follow.go"
	pipelineGo  = "stock: common/redis/pipeline.go"
	replicateGo = "stock: common/redis/replicated.go"
)

// failoverMutations cover the parts R1, R3, R4 and R5 of the rule in docs/replication.md. R2 only defines the
// positions that R3 compares.
var failoverMutations = []mutation{
	{name: "a voter does not freeze its Redis (R3)", interleaving: oldPrimaryServes, want: lostLater, edits: []edit{
		{electGo, "		o, err = m.raise(ctx, Promise{Epoch: c.Epoch})", "		err = m.save(Promise{Epoch: c.Epoch})"}}},
	{name: "a voter does not compare positions (R3)", interleaving: staleCandidate, want: lostLater, edits: []edit{
		{"keeper/rule/rule.go", "return p.Epoch < q.Epoch || p.Epoch == q.Epoch && p.Seq < q.Seq", "return false"}}},
	{name: "an empty node votes (R5)", interleaving: emptyVoter, want: lostLater, edits: []edit{
		{electGo, "	case !o.Complete():\n		b.Reason", "	case false:\n		b.Reason"},
		{electGo, `	if err == nil && !o.Complete() {
		err = ErrIncomplete
	}
	if err == nil {
		o, err = m.raise(ctx, Promise{Epoch: c.Epoch})
	}
	if err == nil && !o.Complete() {
		err = ErrIncomplete
	}
`, `	if err == nil {
		o, err = m.raise(ctx, Promise{Epoch: c.Epoch})
	}
`}}},
	{name: "a node follows a primary below its promise (R4)", interleaving: oldPrimaryBeats, want: lostLater,
		edits: []edit{{followGo, "if b.Epoch < m.promise.Epoch {", "if false {"}}},
	{name: "the promise of a vote is not stored (R3)", interleaving: voterRestarts, want: lostLater, edits: []edit{
		{"keeper/disk.go", "	text, err := json.Marshal(", `	if promise.Epoch > rule.FirstEpoch && promise.Candidate == "" {
		return nil
	}
	text, err := json.Marshal(`}}},
	{name: "keeper init needs no other node (R5)", interleaving: initAgain, want: "has lost acknowledged writes",
		edits: []edit{{"keeper/init.go", `err = errors.Join(err, fmt.Errorf("node %d: %s", node, b.Reason))`, "granted++"}}},
	{name: "a batch is acknowledged without a replica (R1)", interleaving: silentReplicas, want: lostLater,
		edits: []edit{
			{replicateGo, `"WAIT", 1, ms), "WAITAOF", 1, 1, ms)`, `"WAIT", 0, ms), "WAITAOF", 1, 0, ms)`},
			{replicateGo, "	case n < 1:\n", "	case n < 0:\n"}}},
	{name: "a batch of reads does not increment the write sequence (R1)", interleaving: silentReplicas, want: lostLater,
		edits: []edit{
			{pipelineGo, "	b.out = append(b.out, p.trailer.command...)\n", `	end := p.trailer.command
	if !b.writes {
		end = bytes.Replace(end, []byte("$4\r\nINCR"), []byte("$3\r\nGET"), 1)
	}
	b.out = append(b.out, end...)
`},
			{pipelineGo, "import (\n", "import (\n\t\"bytes\"\n"},
			{"stock: common/redis/sequence.go", "	if sequence <= seen {\n		found", "	if sequence < seen {\n		found"}}},
}
