package redis

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// Errors of a shard that is not refused, but cannot be used yet.
var (
	errInspecting = errors.New("redis: the other shards are not inspected yet")
	errNew        = errors.New("redis: the shard is empty and has no identity yet")
	errIncomplete = errors.New("redis: the other shards do not know the identity of this shard yet")
)

// inspected reports whether err comes from a successful inspection of a shard that cannot be used.
func inspected(err error) bool {
	return refused(err) || errors.Is(err, errInspecting) || errors.Is(err, errNew) || errors.Is(err, errIncomplete)
}

// State is the result of the last inspection of a shard.
type State int

// States of a shard.
const (
	Unread     State = iota // the inspection failed, or there was none yet
	New                     // an empty database; no inspected shard and no calling service knows the shard
	Incomplete              // the Redis has an identity, but other shards do not know it or are not inspected yet
	Verified                // the Redis is the right shard
	Refused                 // see Refusal
)

// Identities holds what an instance knows about the identities of its service's shards.
type Identities struct {
	system, service string
	changed         chan struct{} // see Changed

	digest atomic.Pointer[string] // see Digest

	mu     sync.Mutex
	shards []knownShard
	peers  map[string][]string // the known identities of shards of other services, by PeerField
}

// knownShard holds what an instance knows about one shard.
type knownShard struct {
	inspected bool             // at least one inspection has ended, even if it failed
	state     State            // result of the last inspection
	claim     Identity         // the last inspected identity, if it is of this system, service and index
	id        string           // the ID under which this instance has used the shard; empty before the first use
	replaced  []string         // former IDs: those that the current ID replaces, and those that this instance has used
	seen      map[string]int64 // largest write sequence that any instance has seen, by shard ID
	lineage   *lineage         // the write sequence of the shard under its current ID
	older     *atomic.Pointer[older]
	recheck   func() // requests a health check

	reported   string // what a service that calls this service knows about the shard, see Report
	replicated bool   // whether REDIS_ADDRS lists all nodes of the shard
}

// NewIdentities returns the Identities of a new instance, which knows only its system and service.
func NewIdentities(system, service string, shards int) *Identities {
	ids := &Identities{
		system: system, service: service, changed: make(chan struct{}, 1), shards: make([]knownShard, shards),
		peers: map[string][]string{},
	}
	for i := range ids.shards {
		ids.shards[i].seen, ids.shards[i].older = map[string]int64{}, &atomic.Pointer[older]{}
	}
	ids.updateDigest()
	return ids
}

// Changed returns a channel that receives a value when an inspection finds a shard New or Incomplete. It receives no
// value before all shards have been inspected once.
func (ids *Identities) Changed() <-chan struct{} { return ids.changed }

// sightings returns the largest write sequence seen under each ID of a shard. Call sightings before an inspection.
// Otherwise, writes after the inspection look like lost writes.
func (ids *Identities) sightings(index int) map[string]int64 {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	shard := &ids.shards[index]
	seen := maps.Clone(shard.seen)
	if l := shard.lineage; l != nil {
		seen[l.id] = max(seen[l.id], l.seen.Load())
	}
	return seen
}

// unread marks a shard whose last inspection has failed.
func (ids *Identities) unread(index int) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	shard := &ids.shards[index]
	shard.state = Unread
	ids.markInspected(shard)
}

// markInspected records that a shard has been inspected. As soon as all shards have been inspected, it requests a
// health check of every shard, because no shard was usable before. ids.mu must be locked.
func (ids *Identities) markInspected(shard *knownShard) {
	if shard.inspected {
		return
	}
	shard.inspected = true
	if ids.allInspected() {
		for i := range ids.shards {
			if recheck := ids.shards[i].recheck; recheck != nil {
				recheck()
			}
		}
	}
}

func (ids *Identities) allInspected() bool {
	return !slices.ContainsFunc(ids.shards, func(s knownShard) bool { return !s.inspected })
}

// verify returns nil if this instance may use the inspected server as the shard. Otherwise the error is a *Refusal, or
// the reason why the shard must wait. The argument seen is the result of sightings before the inspection.
func (ids *Identities) verify(index int, found Inspection, seen map[string]int64) error {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	shard := &ids.shards[index]
	var err error
	shard.state, err = ids.judge(index, found, seen)
	ids.markInspected(shard)
	if errors.Is(err, errNew) || errors.Is(err, errIncomplete) {
		select {
		case ids.changed <- struct{}{}:
		default:
		}
	}
	return err
}

// judge returns the state of a shard after an inspection, and an error unless the state is Verified. ids.mu must be
// locked.
func (ids *Identities) judge(index int, found Inspection, seen map[string]int64) (State, error) {
	shard := &ids.shards[index]
	shard.claim = Identity{}
	if found.layout != nil {
		return Refused, found.layout
	}
	if found.replicated && !shard.replicated {
		return Refused, refusal(Replicated, "the Redis is a node of a replicated shard: list all its nodes in REDIS_ADDRS")
	}
	if found.ID == "" {
		switch {
		case found.Keys > 0:
			return Refused, refusal(NoIdentity, "the Redis has data, but no identity; is it the right Redis?")
		case ids.known(index) != "":
			return Refused, refusal(Empty, "the Redis is empty, but shard %d is in use with ID %s", index, ids.known(index))
		case shard.reported != "":
			return Refused, refusal(Empty, "the Redis is empty, but %s", shard.reported)
		case !ids.allInspected():
			return New, errInspecting
		}
		return New, errNew
	}
	if !ids.names(index, &found.Identity) {
		return Refused, refusal(AnotherShard, "the Redis is shard %s of %s of system %q, not shard %d of %s of system %q",
			found.Index, found.Service, found.System, index, ids.service, ids.system)
	}
	if found.Active > len(ids.shards) {
		return Refused, refusal(TooFewShards, "%d shards are active, but REDIS_ADDRS lists only %d",
			found.Active, len(ids.shards))
	}
	shard.claim = found.Identity
	ids.learnSequences(found.seen)
	if !ids.allInspected() {
		return Incomplete, errInspecting
	}
	if err := ids.contradiction(index, &found.Identity); err != nil {
		return Refused, err
	}
	if known := shard.older.Load(); known != nil && known.id == found.ID && known.runID == found.runID {
		return Refused, known.refusal()
	}
	if last := seen[found.ID]; found.Sequence < last {
		now := &older{id: found.ID, runID: found.runID, sequence: found.Sequence, seen: last}
		shard.older.Store(now)
		return Refused, now.refusal()
	}
	if !found.Complete {
		return Incomplete, errIncomplete
	}
	if shard.lineage == nil || shard.lineage.id != found.ID {
		shard.lineage = &lineage{id: found.ID, older: shard.older}
	}
	if shard.id != found.ID {
		shard.replaced = slices.Concat(shard.replaced, found.Replaces, []string{shard.id})
		shard.id = found.ID
		ids.updateDigest()
	}
	shard.lineage.raise(found.Sequence)
	return Verified, nil
}

// contradiction returns a Refusal in these cases:
//   - This instance or another shard knows that another ID has replaced the found ID.
//   - This instance or another shard knows another ID, and the found identity does not replace this known ID.
//   - The found identity has a wrong ID for another shard.
func (ids *Identities) contradiction(index int, found *Identity) error {
	shard := &ids.shards[index]
	const replaced = "another Redis is at this address: its identity is %s, which %s replaces"
	for i := range ids.shards { // first, because the checks below accept any known ID if found.Replaces has "*"
		if known := ids.shards[i].claim.Shards[index]; len(known) > 0 && slices.Contains(known[1:], found.ID) {
			return refusal(AnotherID, replaced, found.ID, known[0])
		}
	}
	switch {
	case slices.Contains(shard.replaced, found.ID):
		return refusal(AnotherID, replaced, found.ID, shard.id)
	case shard.id != "" && shard.id != found.ID && !found.replaces(shard.id):
		return refusal(AnotherID, "another Redis is at this address: its identity is %s, but that of shard %d is %s",
			found.ID, index, shard.id)
	case shard.id != "":
		return nil
	}
	for i := range ids.shards {
		other := &ids.shards[i]
		if known := other.claim.Shards[index]; len(known) > 0 && known[0] != found.ID && !found.replaces(known[0]) {
			return refusal(AnotherID, "another Redis is at this address: its identity is %s, but shard %d has stored %s for it",
				found.ID, i, known[0])
		}
		if known := found.Shards[i]; other.id == "" && other.claim.ID != "" && len(known) > 0 &&
			!slices.Contains(known, other.claim.ID) && !other.claim.replaces(known[0]) {
			return refusal(AnotherID, "the Redis knows shard %d as %s, but the identity of that shard is %s",
				i, known[0], other.claim.ID)
		}
	}
	return nil
}

// names is true for an identity that has the system and the service of this instance, and the given index.
func (ids *Identities) names(index int, d *Identity) bool {
	return d.System == ids.system && d.Service == ids.service && d.Index == strconv.Itoa(index)
}

// known returns the ID of a shard: as this instance knows it, or as another shard has stored it, or "".
func (ids *Identities) known(index int) string {
	if id := ids.shards[index].id; id != "" {
		return id
	}
	for i := range ids.shards {
		if known := ids.shards[i].claim.Shards[index]; len(known) > 0 {
			return known[0]
		}
	}
	return ""
}

// learnSequences records the write sequences of other shards, as an inspected shard stores them.
func (ids *Identities) learnSequences(from map[int]sighting) {
	for index, s := range from {
		if index < len(ids.shards) {
			seen := ids.shards[index].seen
			seen[s.id] = max(seen[s.id], s.sequence)
		}
	}
}

// States returns the result of the last inspection of each shard.
func (ids *Identities) States() []State {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	states := make([]State, len(ids.shards))
	for i := range ids.shards {
		states[i] = ids.shards[i].state
	}
	return states
}

// Claim returns the identity that the last inspection of a shard has found. The ID is empty if the shard has no
// identity of this system, service and index.
func (ids *Identities) Claim(index int) Identity {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return ids.shards[index].claim
}

// Sighting returns the ID of a shard, and the largest write sequence that this instance has seen on the shard.
func (ids *Identities) Sighting(index int) (id string, sequence int64) {
	if l := ids.lineage(index); l != nil {
		return l.id, l.seen.Load()
	}
	return "", 0
}

// lineage returns the write sequence of a shard under its identity, or nil before the first use of the shard.
func (ids *Identities) lineage(index int) *lineage {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return ids.shards[index].lineage
}
