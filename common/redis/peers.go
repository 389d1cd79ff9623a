package redis

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The shards of a service also store the identities of the shards of its peers. A peer may lose all its shards while
// none of its instances runs. The peer itself cannot detect this loss, because it has lost the identities, too. So the
// service reports these identities to the peer, which then refuses an empty Redis.

// Current returns a string for each shard: the fields ID and Replaces of its identity. The string is empty unless the
// last inspection has found the ID under which this instance has used the shard.
func (ids *Identities) Current() []string {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	current := make([]string, len(ids.shards))
	for i := range ids.shards {
		if claim := ids.shards[i].claim; claim.ID != "" && claim.ID == ids.shards[i].id {
			current[i] = strings.Join(append([]string{claim.ID}, claim.Replaces...), " ")
		}
	}
	return current
}

// Digest returns a digest of the IDs of the shards that this instance has used.
func (ids *Identities) Digest() string { return *ids.digest.Load() }

// updateDigest sets the result of Digest. ids.mu must be locked, unless no other goroutine uses ids.
func (ids *Identities) updateDigest() {
	hash := sha256.New()
	for i := range ids.shards {
		fmt.Fprintln(hash, ids.shards[i].id)
	}
	digest := hex.EncodeToString(hash.Sum(nil)[:8])
	ids.digest.Store(&digest)
}

// Inspected reports whether all shards have been inspected at least once, with any result.
func (ids *Identities) Inspected() bool {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	return ids.allInspected()
}

// VerifyPeer compares the string that an instance of another service reports about a shard (see Current) with the ID
// of the shard that this instance knows. If this instance knows no ID, it accepts every string. Otherwise:
//   - It accepts an empty string and the known ID.
//   - It returns a Refusal for a former ID, which the known ID has replaced.
//   - It returns a Refusal for a new ID that replaces no other ID, because no operator has adopted this Redis.
//   - It accepts a new ID that replaces another ID.
//
// An accepted ID becomes the known ID.
func (ids *Identities) VerifyPeer(service string, index int, reported string) error {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	record := strings.Fields(reported)
	if len(record) == 0 {
		return nil
	}
	id, replaces := record[0], record[1:]
	field := PeerField(service, index)
	known := ids.peer(field)
	switch {
	case len(known) > 0 && known[0] == id:
		return nil
	case len(known) > 0 && (len(replaces) == 0 || slices.Contains(known, id)):
		return refusal(AnotherID, "shard %d of %s is not the Redis that %s knows: its identity is %s, "+
			"want %s or an adopted Redis that replaces it", index, service, ids.service, id, known[0])
	}
	next := slices.Concat(record, known)
	slices.Sort(next[1:])
	ids.peers[field] = slices.DeleteFunc(slices.Compact(next), func(id string) bool { return id == ReplacesAny })
	return nil
}

// PeerRecords returns the fields to write to a shard, each followed by its value: known IDs of other services' shards.
func (ids *Identities) PeerRecords(index int) (pairs []any) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	for field := range ids.peerFields() {
		known, stored := ids.peer(field), ids.shards[index].claim.peers[field]
		if len(stored) == 0 || stored[0] != known[0] {
			pairs = append(pairs, field, strings.Join(known, " "))
		}
	}
	return pairs
}

// peer returns the known IDs of a shard of another service: its ID, followed by the former IDs that this ID replaces.
// ids.mu must be locked. If there are several records, the first of these takes precedence:
//   - a record whose ID replaces the ID of another record
//   - a record on a shard of this service
//   - a report of the peer (last, because this instance may have accepted the report before it read its own shards)
func (ids *Identities) peer(field string) (known []string) {
	consider := func(record []string) {
		if len(record) > 0 && (len(known) == 0 || slices.Contains(record[1:], known[0])) {
			known = record
		}
	}
	for i := range ids.shards {
		consider(ids.shards[i].claim.peers[field])
	}
	consider(ids.peers[field])
	return known
}

// peerFields returns the fields of all known shards of other services. ids.mu must be locked.
func (ids *Identities) peerFields() map[string]bool {
	fields := map[string]bool{}
	for field := range ids.peers {
		fields[field] = true
	}
	for i := range ids.shards {
		for field := range ids.shards[i].claim.peers {
			fields[field] = true
		}
	}
	return fields
}

// KnownPeer returns the known ID of each shard of a peer, by index. The shards of this service store these IDs. So ok
// is false until this instance has read the identity of one of its own shards, or has found all of them empty.
func (ids *Identities) KnownPeer(service string) (known map[int]string, ok bool) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	known = map[int]string{}
	for field := range ids.peerFields() {
		if index, err := strconv.Atoi(strings.TrimPrefix(field, peerPrefix+service+":")); err == nil {
			known[index] = ids.peer(field)[0]
		}
	}
	allNew := true
	for i := range ids.shards {
		ok = ok || ids.shards[i].claim.ID != ""
		allNew = allNew && ids.shards[i].state == New
	}
	return known, ok || allNew
}

// Report records the ID under which a caller (another service) knows a shard of this service. From then on, this
// instance refuses an empty Redis as that shard.
func (ids *Identities) Report(index int, caller, id string) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if index < 0 || index >= len(ids.shards) {
		return
	}
	shard := &ids.shards[index]
	shard.reported = fmt.Sprintf("%s knows shard %d with ID %s", caller, index, id)
	if shard.state == New {
		shard.state = Unread // until the next inspection, which refuses the Redis if it is still empty
	}
}
