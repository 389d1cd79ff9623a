package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

const copies = 3 // nodes of a replicated shard

// letters are the suffixes of container names: for example, order-redis-b is node 1 of order-redis.
var letters = [copies]string{"", "-b", "-c"}

// nodes returns the container names of a shard's three nodes, or of their keepers. The argument is the first name.
func nodes(first string) (names []string) {
	for _, letter := range letters {
		names = append(names, first+letter)
	}
	return names
}

// keeperOf returns the name of the keeper of a node: order-keeper-2-b for order-redis-2-b.
func keeperOf(node string) string { return strings.Replace(node, "-redis", "-keeper", 1) }

// replicate gives each shard three nodes under load, as an operator does.
func (r *run) replicate(ctx context.Context) error {
	r.project.replicas = copies
	return r.scale(ctx, "conversion")
}

// lostNodes kills the primary of the last shard of each service together with its keeper, under load. Then it replaces
// the new primary, its keeper and their volume, as an operator does after the loss of a disk.
func (r *run) lostNodes(ctx context.Context) error {
	for _, service := range services {
		shard := nth(service+"-redis", r.project.shards)
		primary, err := r.project.primary(ctx, shard)
		if err != nil {
			return err
		}
		kill := func() error { return r.project.kill(ctx, primary, keeperOf(primary)) }
		if err := r.underLoad(ctx, "SIGKILL of "+primary+" and its keeper", kill); err != nil {
			return err
		}
		if primary, err = r.project.primary(ctx, shard); err != nil {
			return err
		}
		lose := func() error { return r.project.replaceNode(ctx, primary) }
		if err := r.underLoad(ctx, "loss of the disk of "+primary, lose); err != nil {
			return err
		}
	}
	_, err := r.stillWorks(ctx)
	return err
}

// replaceNode removes a node of a replicated shard, its keeper and its volume. Then it starts the node and the keeper
// without data.
func (p *project) replaceNode(ctx context.Context, node string) error {
	all, err := p.inspect(ctx)
	if err != nil {
		return err
	}
	volume := ""
	for _, m := range all[node].Mounts {
		if m.Destination == "/data" {
			volume = m.Name
		}
	}
	if _, err := p.compose(ctx, "rm", "--stop", "--force", keeperOf(node), node); err != nil {
		return err
	}
	if _, err := docker(ctx, "volume", "rm", volume); err != nil {
		return err
	}
	_, err = p.compose(ctx, "up", "--detach", "--no-deps", node, keeperOf(node))
	return err
}

// primary returns the container name of a shard's primary: the master with the highest epoch. An old primary remains a
// master, with a lower epoch, until it notices that another node was elected.
func (p *project) primary(ctx context.Context, shard string) (string, error) {
	all, err := p.inspect(ctx)
	if err != nil {
		return "", err
	}
	primary, highest := "", int64(0)
	var errs []error
	for _, name := range nodes(shard) {
		epoch, err := p.epoch(ctx, all[name], shard)
		if errs = append(errs, err); epoch > highest {
			primary, highest = name, epoch
		}
	}
	if primary == "" {
		return "", errors.Join(append(errs, fmt.Errorf("find the primary of %s: no node is a primary", shard))...)
	}
	return primary, nil
}

// epoch returns the epoch of a node of a shard, or 0 if the node is not a master or has no epoch.
func (p *project) epoch(ctx context.Context, node container, shard string) (int64, error) {
	client := redis.NewClient(&redis.Options{Addr: p.redisAddr(node), MaxRetries: -1})
	defer client.Close()
	role, err := client.Do(ctx, "ROLE").Slice()
	if err != nil || len(role) == 0 || role[0] != "master" {
		return 0, err
	}
	service, number, _ := strings.Cut(shard, "-redis")
	index := 0
	if number != "" {
		n, err := strconv.Atoi(number[1:])
		if err != nil {
			return 0, err
		}
		index = n - 1
	}
	epoch, err := client.Get(ctx, fmt.Sprintf("{%c%d}epoch", service[0], index)).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return epoch, err
}

// redisAddr returns the address of a Redis. Nodes 1 and 2 of a replicated shard are only on the network "nodes".
func (p *project) redisAddr(node container) string {
	for _, network := range []string{"_back", "_nodes"} {
		if address := node.NetworkSettings.Networks[p.name+network].IPAddress; address != "" {
			return address + ":6379"
		}
	}
	return ""
}
