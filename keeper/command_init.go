package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"checkout/common/env"
	"checkout/keeper/status"
)

const (
	// syncTimeout is how long keeper init waits for a replica. It is no error if the copy takes longer.
	syncTimeout = 20 * time.Second
	// keepersTimeout is the time that keeper init --if-needed waits for the keepers. Another machine may first have to
	// pull the image.
	keepersTimeout = 10 * time.Minute
)

// initialize makes this node the first primary of the shard. Then it waits for up to syncTimeout until writes can be
// acknowledged. It reaches the keeper of this node by the address in KEEPERS, so that it can also run on another
// machine, for example in a Kubernetes Job.
func initialize(ctx context.Context, config env.Keeper, client *http.Client, stdout io.Writer) error {
	if err := command(ctx, config, client, config.Keepers[config.Node], "/init"); err != nil {
		return fmt.Errorf("initialize %s:\n%w", config.ShardName(), err)
	}
	fmt.Fprintf(stdout, "%s: node %d is the first primary; waiting for a replica\n", config.ShardName(), config.Node)
	for deadline := time.Now().Add(syncTimeout); ; {
		nodes := statuses(ctx, config, client)
		if status.Healthy(nodes) {
			fmt.Fprintf(stdout, "%s is ready\n", config.ShardName())
			return nil
		}
		if time.Now().After(deadline) {
			status.Write(stdout, nodes)
			fmt.Fprintf(stdout, "no replica is in sync yet; run keeper status to watch\n")
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ensureInitialized initializes the shard, unless a node already has data of an epoch. A deployment runs it at each
// installation and upgrade.
func ensureInitialized(ctx context.Context, config env.Keeper, client *http.Client, stdout io.Writer) error {
	for deadline := time.Now().Add(keepersTimeout); ; {
		nodes := statuses(ctx, config, client)
		for _, n := range nodes {
			if n.Epoch > 0 {
				fmt.Fprintf(stdout, "%s is initialized: node %d has epoch %d\n", config.ShardName(), n.Node, n.Epoch)
				return nil
			}
		}
		err := initialize(ctx, config, client, stdout)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}
