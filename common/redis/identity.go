package redis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A shard has an identity, so that an instance never mistakes one Redis for another. The identity is a hash. The key
// has no hash tag, because the identity names the server at any position in REDIS_ADDRS. See
// docs/adr/0022-shard-identity.md.
const (
	// IdentityKey is the key of the identity.
	IdentityKey = "identity"
	// CompleteField is set when the other shards of the service know the identity. Before that, no instance
	// uses the shard.
	CompleteField = "complete"
	// shardPrefix is the prefix of the fields that name the identities of the other shards of the service, by index.
	shardPrefix = "shard:"
	// seenPrefix is the prefix of the fields with the sequences that instances have seen of other shards, by index.
	seenPrefix = "seen:"
	// peerPrefix is the prefix of the fields that name the identities of the shards of other services.
	peerPrefix = "peer:"
	// ReplacesAny in the field "replaces" means that the replaced identity is not known.
	ReplacesAny = "*"

	// ActivationKey is the hash with the number of active shards, in the field ActiveField.
	ActivationKey, ActiveField = "growth", "open"
)

// Identity is the identity of a shard, and its records about the other shards of its service.
type Identity struct {
	System, Service, Index string
	ID                     string // a UUID; empty if the server has no identity
	Complete               bool
	Replaces               []string            // the former IDs that ID replaces; see Adopt in package cluster
	Shards                 map[int][]string    // by index: ID of another shard, then the former IDs that it replaces
	peers                  map[string][]string // like Shards, for shards of other services, by PeerField
	seen                   map[int]sighting
}

// sighting is a write sequence that an instance has seen of a shard.
type sighting struct {
	id       string // ID of the shard
	sequence int64
}

// ShardField returns the field that names the identity of the shard with an index.
func ShardField(index int) string { return shardPrefix + strconv.Itoa(index) }

// Record returns the value of the field ShardField on the other shards: the ID, and then the former IDs that this ID
// replaces.
func (d *Identity) Record() string {
	ids := []string{d.ID}
	for _, id := range d.Replaces {
		if id != ReplacesAny {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

// SawOf returns the stored sighting of the shard with an index: the ID and the write sequence that an instance has
// seen.
func (d *Identity) SawOf(index int) (id string, sequence int64) {
	return d.seen[index].id, d.seen[index].sequence
}

// SeenField returns the field with the sequence that instances have seen of the shard with an index.
func SeenField(index int) string { return seenPrefix + strconv.Itoa(index) }

// PeerField returns the field that names the identity of a shard of another service.
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

// replaces reports whether the identity replaces the one with the given ID.
func (d *Identity) replaces(id string) bool {
	return slices.Contains(d.Replaces, id) || slices.Contains(d.Replaces, ReplacesAny)
}

// Inspection is the data that an instance reads from a server before it uses the server as a shard.
type Inspection struct {
	Identity
	Keys     int64 // number of keys in the database
	Sequence int64 // the write sequence
	Active   int   // number of active shards, as this shard stores it
	runID    string
}

// inspectCommands returns the commands of an inspection. DBSIZE comes first, because another instance may write the
// identity meanwhile. If DBSIZE came last, a new shard could seem to have data without an identity.
func (s *Shard) inspectCommands() [][]any {
	return [][]any{
		{"DBSIZE"}, {"HGETALL", IdentityKey}, {"GET", s.Key(sequenceKey)}, {"HGET", s.Key(ActivationKey), ActiveField},
		{"INFO", "server"},
	}
}

func parseInspection(replies []value) (Inspection, error) {
	for _, reply := range replies {
		if err := reply.err(); err != nil {
			return Inspection{}, err
		}
	}
	number := func(v value) int64 {
		n, _ := strconv.ParseInt(v.text, 10, 64) // nil counts as 0
		return n
	}
	_, server, _ := strings.Cut(replies[4].text, "\r\nrun_id:")
	runID, _, _ := strings.Cut(server, "\r\n")
	return Inspection{
		Identity: parseIdentity(replies[1].list), Keys: number(replies[0]), Sequence: number(replies[2]),
		Active: int(number(replies[3])), runID: runID,
	}, nil
}

// inspect reads the server of a new connection.
func (s *Shard) inspect(c *conn) (Inspection, error) {
	var out []byte
	commands := s.inspectCommands()
	for _, command := range commands {
		out = appendCommand(out, command...)
	}
	if err := c.write(out, time.Now().Add(replyTimeout)); err != nil {
		return Inspection{}, err
	}
	replies := make([]value, len(commands))
	for i := range replies {
		var err error
		if replies[i], err = c.read(); err != nil {
			return Inspection{}, err
		}
	}
	return parseInspection(replies)
}

// dialVerified opens a connection for commands, and first checks that the connection leads to this shard.
func (s *Shard) dialVerified(ctx context.Context) (*conn, error) {
	seen := s.identities.sightings(s.Index)
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.inspect(c)
	if err == nil {
		err = s.identities.verify(s.Index, found, seen)
	}
	if err != nil {
		c.Close()
		if refused(err) { // without markDown, which requests a health check: this call may be part of a health check
			s.degrade(&state{level: unavailable, reason: reasonOf(err), err: err})
		}
		return nil, err
	}
	c.lineage, c.runID = s.identities.lineage(s.Index), found.runID
	return c, nil
}

// verifyIdentity checks the identity and the write sequence of the shard again. A new shard with wrong settings gets no
// identity, so verifyIdentity returns the error about its settings.
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
	return parseInspection(replies)
}

// Unverified opens a connection to a server that may not be this shard, for the commands that identify the server. The
// caller must close the connection.
func (s *Shard) Unverified(ctx context.Context) (*Unverified, error) {
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &Unverified{s, c}, nil
}

// Unverified is a connection to a server that may not be the shard.
type Unverified struct {
	shard *Shard
	conn  *conn
}

// Inspect reads the identity of the server.
func (u *Unverified) Inspect() (Inspection, error) { return u.shard.inspect(u.conn) }

// VerifySettings returns an error if the server may lose acknowledged writes. Such a server must not get an identity:
// after a restart the server could be empty, and instances would refuse the server.
func (u *Unverified) VerifySettings() error {
	if u.shard.unchecked {
		return nil
	}
	return checkSettings(u.Do(settingsCommand()...))
}

// Do runs a command.
func (u *Unverified) Do(args ...any) (Reply, error) {
	if err := u.conn.write(appendCommand(nil, args...), time.Now().Add(checkTimeout)); err != nil {
		return Reply{}, err
	}
	reply, err := u.conn.read()
	if err == nil {
		err = reply.err()
	}
	if err != nil {
		return Reply{}, err
	}
	return newReply(reply), nil
}

// Run runs a script. The first key of the script is the identity.
func (u *Unverified) Run(script *Script, moreKeys []string, args ...any) (Reply, error) {
	command := []any{"EVAL", script.source, 1 + len(moreKeys), IdentityKey}
	for _, key := range moreKeys {
		command = append(command, key)
	}
	return u.Do(append(command, args...)...)
}

// Close closes the connection.
func (u *Unverified) Close() error { return u.conn.Close() }
