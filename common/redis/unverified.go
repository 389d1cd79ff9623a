package redis

import (
	"context"
	"errors"
	"time"
)

// Unverified opens a connection, but does not verify that the server is this shard. Callers use the connection to
// read or write the identity of the server. The caller must close the connection.
func (s *Shard) Unverified(ctx context.Context) (*Unverified, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &Unverified{s, c}, nil
}

// Unverified is a connection to a server that is possibly not the shard.
type Unverified struct {
	shard *Shard
	conn  *conn
}

// Inspect reads the identity of the server.
func (u *Unverified) Inspect() (Inspection, error) {
	found, err := u.shard.inspect(u.conn, u.shard.identities.sightings(u.shard.Index))
	return found, errors.Join(err, found.layout)
}

// VerifySettings returns an error if the settings of the server allow the loss of acknowledged writes. Such a server
// must not get an identity, because instances would refuse it if it restarted empty. If REDIS_DURABLE is "unchecked" or
// "engine", VerifySettings checks nothing.
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

// Run runs a script, whose first key is IdentityKey. On a replicated shard, Run returns an error if no replica has
// stored what the script has written.
func (u *Unverified) Run(script *Script, moreKeys []string, args ...any) (Reply, error) {
	command := []any{"EVAL", script.source, 1 + len(moreKeys), IdentityKey}
	for _, key := range moreKeys {
		command = append(command, key)
	}
	reply, err := u.Do(append(command, args...)...)
	if t := &u.shard.trailer; err == nil && t.replicated {
		if err = u.conn.write(t.command, time.Now().Add(replyTimeout)); err == nil {
			err = t.confirm(u.conn, replyTimeout)
		}
	}
	return reply, err
}

// Close closes the connection.
func (u *Unverified) Close() error { return u.conn.Close() }
