package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"checkout/common/env"
	"checkout/keeper/rule"
)

// elect tries to make this node the primary (R3).
func (k *keeper) elect(ctx context.Context) {
	c, err := k.win(ctx)
	now := time.Now()
	k.mu.Lock()
	k.deadline = now.Add(electTimeout/4 + rand.N(electTimeout/2)) // the time of the next try
	if err == nil {
		k.counters.elections++
	}
	k.mu.Unlock()
	if err != nil {
		if unlogged, ok := k.failures.Allow("elect"); ok {
			k.log.Info("not elected", "epoch", c.Epoch, "position", c.Position.String(), "reason", err, "unlogged", unlogged)
		}
		return
	}
	k.log.Info("elected", "epoch", c.Epoch, "position", c.Position.String())
	k.wakeUp()
}

var (
	errNoPrevote = errors.New("no other node would vote for this node")
	errNoVote    = errors.New("no other node has voted for this node")
)

// win stands for election. It returns an error if this node does not become the primary.
func (k *keeper) win(ctx context.Context) (c rule.Candidate, err error) {
	granted, voter, refusals := false, -1, ""
	for range 2 { // a second time, with a higher epoch, if another node has already promised the epoch of the first try
		if err = k.step(ctx, func(ctx context.Context) (err error) {
			c, err = k.member.Standing(ctx, k.seenPromise())
			return err
		}); err != nil {
			return c, err
		}
		if granted, _, refusals = k.poll(ctx, "/prevote", c); granted || k.seenPromise() < c.Epoch {
			break
		}
	}
	if !granted {
		return c, fmt.Errorf("%w: %s", errNoPrevote, refusals)
	}
	if err = k.step(ctx, func(ctx context.Context) (err error) {
		c, err = k.member.Stand(ctx, c)
		return err
	}); err != nil {
		return c, err
	}
	if granted, voter, refusals = k.poll(ctx, "/vote", c); !granted {
		return c, fmt.Errorf("%w: %s", errNoVote, refusals)
	}
	if err = k.step(ctx, func(ctx context.Context) error { return k.member.Win(ctx, c) }); err != nil {
		return c, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.leads, k.acks, k.joining = c.Epoch, [env.Copies]ack{}, rule.Joining{}
	k.joining.Start(voter, time.Now()) // the voter attaches first: it has data, and its Redis replies
	return c, nil
}

// poll asks both other nodes for a vote or a pre-vote. One grant is enough, because the candidate and one other node
// are two of three. The voter attaches to the new primary first, so it should not be a stopping node. If a stopping
// node grants first, poll also waits for the reply of the other node. The last result contains the reasons of the
// nodes that refuse.
func (k *keeper) poll(ctx context.Context, path string, c rule.Candidate) (granted bool, voter int, refusals string) {
	type answer struct {
		rule.Ballot
		node int
	}
	answers := make(chan answer, env.Copies)
	others, reasons := k.others(), []string(nil)
	for _, node := range others {
		go func() {
			var b rule.Ballot
			if err := k.ask(ctx, node, path, c, &b); err != nil {
				b = rule.Ballot{Reason: err.Error()}
			}
			answers <- answer{b, node}
		}()
	}
	for range others {
		a := <-answers
		k.seePromise(a.Promised)
		switch {
		case a.Granted && !a.Stopping:
			return true, a.node, ""
		case a.Granted:
			granted, voter = true, a.node
		default:
			reasons = append(reasons, fmt.Sprintf("node %d: %s", a.node, a.Reason))
		}
	}
	return granted, voter, strings.Join(reasons, "; ")
}

func (k *keeper) seenPromise() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.floor
}

func (k *keeper) seePromise(epoch int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.floor = max(k.floor, epoch)
}

// prevote handles another node's request for a pre-vote.
func (k *keeper) prevote(ctx context.Context, c rule.Candidate) (b rule.Ballot) {
	b.Promised = k.member.Promised()
	if err := k.step(ctx, func(ctx context.Context) error {
		b = k.member.Prevote(ctx, c, k.healthy)
		return nil
	}); err != nil {
		b.Reason = err.Error()
	}
	return b
}

// vote handles a candidate's request for a vote.
func (k *keeper) vote(ctx context.Context, c rule.Candidate) (b rule.Ballot) {
	b.Promised = k.member.Promised()
	if err := k.step(ctx, func(ctx context.Context) error {
		b = k.member.Vote(ctx, c)
		return nil
	}); err != nil {
		b.Reason = err.Error()
	}
	k.log.Info("vote", "epoch", c.Epoch, "candidate", c.Node, "position", c.Position.String(),
		"granted", b.Granted, "own", b.Position.String(), "reason", b.Reason)
	k.mu.Lock()
	defer k.mu.Unlock()
	b.Stopping = k.stopping
	if now := time.Now(); b.Granted {
		k.deadline = now.Add(electTimeout + rand.N(electTimeout/2))
	} else if b.Promised == c.Epoch {
		k.deadline = now // stand for election at once: this node has newer data, or had promised this epoch before
	}
	return b
}
