package redis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A shard has an identity, so that an instance never mistakes one Redis for another. The identity is a Redis hash.
// An instance must find it even if REDIS_ADDRS lists the Redis at the wrong index. So the key of the hash has no
// hash tag, because a hash tag contains the index of the shard. See docs/adr/0022-shard-identity.md.
const (
	// IdentityKey is the key of the identity.
	IdentityKey = "identity"
	// CompleteField is set after the other shards of the service have stored the identity, or by the script adopt_shard.
	// Without this field, no instance uses the shard.
	CompleteField = "complete"
	// shardPrefix and an index form the field with the ID of another shard of the service.
	shardPrefix = "shard:"
	// seenPrefix and an index form the field with the write sequence that an instance has seen on another shard.
	seenPrefix = "seen:"
	// peerPrefix is the prefix of a field with the ID of another service's shard, see PeerField.
	peerPrefix = "peer:"
	// ReplacesAny in the field "replaces" stands for any former ID.
	ReplacesAny = "*"

	// ActivationKey is the key of a hash. Its field ActiveField is the number of active shards.
	ActivationKey, ActiveField = "growth", "open"
)

// Identity is a shard's identity. Shards, peers and seen describe other shards.
type Identity struct {
	System, Service, Index string
	ID                     string // a UUID; empty if the server has no identity
	Complete               bool
	Replaces               []string            // the former IDs that ID replaces; see Adopt in package cluster
	Shards                 map[int][]string    // by index: ID of another shard, then the former IDs that it replaces
	peers                  map[string][]string // like Shards, for shards of other services, by PeerField
	seen                   map[int]sighting
}

// sighting is a write sequence that an instance has seen on a shard.
type sighting struct {
	id       string // ID of the shard
	sequence int64
}

// ShardField returns the field with the ID of the shard with the given index.
func ShardField(index int) string { return shardPrefix + strconv.Itoa(index) }

// Record returns the value that other shards store in ShardField: the ID, and then Replaces without ReplacesAny.
func (d *Identity) Record() string {
	ids := []string{d.ID}
	for _, id := range d.Replaces {
		if id != ReplacesAny {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

// SawOf returns the stored sighting of the shard with the given index: the ID and the write sequence that an instance
// has seen.
func (d *Identity) SawOf(index int) (id string, sequence int64) {
	return d.seen[index].id, d.seen[index].sequence
}

// SeenField returns the field with the write sequence seen on the shard with the given index.
func SeenField(index int) string { return seenPrefix + strconv.Itoa(index) }

// PeerField returns the field with the ID of a shard of another service.
func PeerField(service string, index int) string {
	return peerPrefix + service + ":" + strconv.Itoa(index)
}

func parseIdentity(fields []value) Identity {
	d := Identity{Shards: map[int][]string{}, peers: map[string][]string{}, seen: map[int]sighting{}}
	for i := 0; i+1 < len(fields); i += 2 {
		switch field, text := fields[i].text, fields[i+1].text; field {
		case "system":
			d.System = text
		case "service":
			d.Service = text
		case "index":
			d.Index = text
		case "id":
			d.ID = text
		case CompleteField:
			d.Complete = true
		case "replaces":
			d.Replaces = strings.Fields(text)
		default:
			if rest, ok := strings.CutPrefix(field, shardPrefix); ok {
				if index, err := strconv.Atoi(rest); err == nil {
					d.Shards[index] = strings.Fields(text)
				}
			} else if strings.HasPrefix(field, peerPrefix) {
				d.peers[field] = strings.Fields(text)
			} else if rest, ok := strings.CutPrefix(field, seenPrefix); ok {
				id, sequence, _ := strings.Cut(text, " ")
				n, err := strconv.ParseInt(sequence, 10, 64)
				if index, err2 := strconv.Atoi(rest); err == nil && err2 == nil {
					d.seen[index] = sighting{id, n}
				}
			}
		}
	}
	return d
}

func (d *Identity) replaces(id string) bool {
	return slices.Contains(d.Replaces, id) || slices.Contains(d.Replaces, ReplacesAny)
}

// Inspection is the data that an instance reads from a server before it uses the server as a shard.
type Inspection struct {
	Identity
	Keys       int64 // number of keys in the database, without those of KeysBeforeIdentity
	Sequence   int64 // the write sequence
	Active     int   // number of active shards, as this shard stores it
	replicated bool  // whether the server is a node of a replicated shard
	layout     error // a Refusal or nil, see Shard.layout
	runID      string
}

// inspectCommands returns the commands of an inspection. DBSIZE comes first, because another instance may write the
// identity meanwhile. If DBSIZE came last, a new shard could seem to have data without an identity.
func (s *Shard) inspectCommands() [][]any {
	commands := [][]any{
		{"DBSIZE"}, {"EXISTS", s.Key(EpochKey)}, {"HGETALL", IdentityKey}, {"GET", s.Key(sequenceKey)},
		{"HGET", s.Key(ActivationKey), ActiveField}, {"INFO", "server", "cluster"},
	}
	if s.engine {
		commands = append(commands, slotsCommand)
	}
	return commands
}

// KeysBeforeIdentity returns the keys that a replicated shard has before it has an identity. It returns nil if the
// shard is not replicated.
func (s *Shard) KeysBeforeIdentity() []string {
	if !s.trailer.replicated {
		return nil
	}
	return []string{s.Key(EpochKey), s.Key(sequenceKey)}
}

func (s *Shard) parseInspection(replies []value) (Inspection, error) {
	if err := s.layout(replies[5].text, replies[len(replies)-1]); err != nil {
		return Inspection{layout: err}, nil // the other replies may be MOVED
	}
	for _, reply := range replies {
		if err := reply.err(); err != nil {
			return Inspection{}, err
		}
	}
	number := func(v value) int64 {
		n, _ := strconv.ParseInt(v.text, 10, 64) // nil counts as 0
		return n
	}
	_, server, _ := strings.Cut(replies[5].text, "\r\nrun_id:")
	runID, _, _ := strings.Cut(server, "\r\n")
	found := Inspection{
		Identity: parseIdentity(replies[2].list), Keys: number(replies[0]), Sequence: number(replies[3]),
		Active: int(number(replies[4])), replicated: replies[1].text == "1", runID: runID,
	}
	if s.trailer.replicated && found.Sequence > 0 {
		found.Keys--
	}
	if s.trailer.replicated && found.replicated {
		found.Keys--
	}
	return found, nil
}

// inspect reads an Inspection from the server of a new connection. If the server has an identity of this shard and the
// shard is replicated, inspect reads again, with a trailer. This detects an old primary, which may lack the latest
// data: no replica confirms its trailer. If the write sequence is lower than in seen (from sightings), writes are
// lost. The trailer then does not increment the sequence, because repeated inspections would hide the loss.
func (s *Shard) inspect(c *conn, seen map[string]int64) (Inspection, error) {
	found, err := s.inspectOnce(c, trailer{})
	if err != nil || !s.trailer.replicated || !s.identities.names(s.Index, &found.Identity) {
		return found, err
	}
	if found.Sequence < seen[found.ID] {
		_, err := s.inspectOnce(c, confirmation(s.Key(probeKey)))
		return found, err
	}
	return s.inspectOnce(c, s.trailer)
}

// inspectOnce sends the commands of an inspection, and then the trailer t, on a new connection.
func (s *Shard) inspectOnce(c *conn, t trailer) (Inspection, error) {
	var out []byte
	commands := s.inspectCommands()
	for _, command := range commands {
		out = appendCommand(out, command...)
	}
	if err := c.write(append(out, t.command...), time.Now().Add(replyTimeout)); err != nil {
		return Inspection{}, err
	}
	replies := make([]value, len(commands))
	for i := range replies {
		var err error
		if replies[i], err = c.read(); err != nil {
			return Inspection{}, err
		}
	}
	if t.replicated {
		if err := t.confirm(c, replyTimeout); err != nil {
			return Inspection{}, err
		}
	}
	return s.parseInspection(replies)
}

// dialVerified opens a connection for commands and verifies that it leads to this shard.
func (s *Shard) dialVerified(ctx context.Context) (*conn, error) {
	seen := s.identities.sightings(s.Index)
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.inspect(c, seen)
	if err == nil {
		err = s.identities.verify(s.Index, found, seen)
	}
	if err != nil {
		c.Close()
		if refused(err) { // not markDown: it would request a health check, and this call may be part of one
			s.degrade(&state{level: unavailable, reason: reasonOf(err), err: err})
		}
		return nil, err
	}
	c.lineage, c.runID = s.identities.lineage(s.Index), found.runID
	return c, nil
}

// verifyIdentity checks the identity and the write sequence of the shard again. If a new shard has wrong
// settings, the error describes the settings, because the shard gets no identity until they are right.
func (s *Shard) verifyIdentity(ctx context.Context) error {
	err := s.inspectAgain(ctx)
	if errors.Is(err, errNew) {
		server, err2 := s.Unverified(ctx)
		if err2 != nil {
			return err2
		}
		defer server.Close()
		if err2 := server.VerifySettings(); err2 != nil {
			return err2
		}
	}
	return err
}

func (s *Shard) inspectAgain(ctx context.Context) error {
	seen := s.identities.sightings(s.Index)
	found, err := s.inspectControl(ctx)
	if err != nil {
		if !inspected(err) {
			s.identities.unread(s.Index)
		}
		return err
	}
	return s.identities.verify(s.Index, found, seen)
}

func (s *Shard) inspectControl(ctx context.Context) (Inspection, error) {
	var waiting []*command
	for _, args := range s.inspectCommands() {
		c, err := s.control.start(func(out []byte) []byte { return appendCommand(out, args...) }, false)
		if err != nil {
			return Inspection{}, err
		}
		waiting = append(waiting, c)
	}
	replies := make([]value, len(waiting))
	for i, c := range waiting {
		var err error
		if replies[i], err = c.waitContext(ctx); err != nil {
			return Inspection{}, err
		}
	}
	return s.parseInspection(replies)
}
