package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"checkout/keeper/rule"
)

// found handles the command keeper init: it makes this node the first primary of the shard (R5).
func (k *keeper) found(ctx context.Context) error {
	if !k.founding.TryLock() {
		return errors.New("another keeper init is still running on this node")
	}
	defer k.founding.Unlock()
	var f rule.Founding
	if err := k.step(ctx, func(ctx context.Context) (err error) {
		if err := k.checkIdentity(ctx); err != nil {
			return err
		}
		f, err = k.member.Plan(ctx)
		return err
	}); err != nil {
		return err
	}
	f.Dry = true
	if _, err := k.collect(ctx, f); err != nil {
		return err
	}
	f.Dry = false
	if f.Stage == rule.Again {
		f.Epoch = max(f.Epoch, k.seenPromise()+1)
	}
	var c rule.Candidate
	if err := k.step(ctx, func(ctx context.Context) (err error) {
		c, err = k.member.Prepare(ctx, f)
		return err
	}); err != nil {
		return err
	}
	if granted, err := k.collect(ctx, f); err != nil {
		if granted == 0 {
			err = errors.Join(err, k.step(ctx, func(context.Context) error { return k.member.Cancel(f) }))
		}
		return err
	}
	if err := k.step(ctx, func(ctx context.Context) error { return k.member.Win(ctx, c) }); err != nil {
		return err
	}
	k.log.Info("initialized: this node is the first primary", "epoch", c.Epoch, "seq", c.Position.Seq)
	k.wakeUp()
	return nil
}

// collect asks both other nodes whether this node may become the first primary (a Founding). It returns the number of
// nodes that may have granted the request, and an error unless both have granted it.
func (k *keeper) collect(ctx context.Context, f rule.Founding) (granted int, err error) {
	for _, node := range k.others() {
		var b rule.Ballot
		if failure := k.ask(ctx, node, "/grant", f, &b); failure != nil {
			granted++
			err = errors.Join(err, fmt.Errorf("ask node %d: %w", node, failure))
			continue
		}
		k.seePromise(b.Promised)
		if b.Granted {
			granted++
		} else {
			err = errors.Join(err, fmt.Errorf("node %d: %s", node, b.Reason))
		}
	}
	return granted, err
}

// grant handles another node's request to become the first primary (a Founding).
func (k *keeper) grant(ctx context.Context, f rule.Founding) (b rule.Ballot) {
	b.Promised = k.member.Promised()
	if err := k.step(ctx, func(ctx context.Context) error {
		b = k.member.Grant(ctx, f)
		return nil
	}); err != nil {
		b.Reason = err.Error()
	}
	return b
}

// checkIdentity returns an error if the Redis has data of another shard.
func (k *keeper) checkIdentity(ctx context.Context) error {
	service, index, err := k.redis.identity(ctx)
	if err != nil {
		return err
	}
	if (service != "" || index != "") && (service != k.config.Service || index != strconv.Itoa(k.config.Shard)) {
		return fmt.Errorf("the Redis of this node has data of %s-%s, not of %s", service, index, k.config.ShardName())
	}
	return nil
}
