package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"checkout/common/web"
	"checkout/keeper/rule"
	"checkout/keeper/status"
)

// Headers of a request to a keeper: the shard and the node in the settings of the sender. The receiver compares them
// with its own settings (see checkSender).
const (
	shardHeader = "Keeper-Shard"
	nodeHeader  = "Keeper-Node"
)

// others returns the indexes of the other nodes.
func (k *keeper) others() []int {
	var others []int
	for node := range k.config.Keepers {
		if node != k.config.Node {
			others = append(others, node)
		}
	}
	return others
}

// ask sends a request to the keeper of another node and decodes the response.
func (k *keeper) ask(ctx context.Context, node int, path string, request, response any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return post(ctx, k.client, k.config.Keepers[node], path, k.config.Tokens[0], k.config.ShardName(), k.config.Node,
		request, response)
}

// post sends a request to a keeper and decodes the response. The arguments shard and node are those of the sender.
func post(
	ctx context.Context, client *http.Client, addr, path, token, shard string, node int, request, response any,
) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", web.Authorization(token))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(shardHeader, shard)
	r.Header.Set(nodeHeader, strconv.Itoa(node))
	reply, err := client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	content, err := io.ReadAll(io.LimitReader(reply.Body, maxBody))
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", bytes.TrimSpace(content))
	}
	return json.Unmarshal(content, response)
}

func (k *keeper) onBeat(ctx context.Context, b rule.Beat) rule.Ack {
	k.mu.Lock()
	resigned, runID := k.resigned, k.observed.RunID
	k.mu.Unlock()
	refuse := func(problem string) rule.Ack { return rule.Ack{Promised: k.member.Promised(), Problem: problem} }
	if !slices.Contains(k.others(), b.Node) {
		return refuse("the beat names no other node")
	}
	if b.Epoch <= resigned {
		return refuse("this primary has resigned")
	}
	if b.RunID == runID {
		return refuse(fmt.Sprintf("nodes %d and %d have the same Redis: REDIS_ADDR is wrong", b.Node, k.config.Node))
	}
	a, err := k.follow(ctx, b, false)
	if err == rule.ErrUnagreed {
		if b.Agrees(k.views(ctx)) {
			a, err = k.follow(ctx, b, true)
		} else {
			k.log.Info("this node is empty and waits for the agreement of both other nodes", "epoch", b.Epoch)
		}
	}
	if b.Epoch >= a.Promised && err != rule.ErrOlder {
		k.recordBeat(b, a)
	}
	if err != nil {
		a.Problem = err.Error()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waits, a.Stopping = a.Problem, k.stopping
	return a
}

// follow makes this node follow the primary of a beat. The reply contains the promise even after an error.
func (k *keeper) follow(ctx context.Context, b rule.Beat, agreed bool) (a rule.Ack, err error) {
	err = k.step(ctx, func(ctx context.Context) (err error) {
		a, err = k.member.Follow(ctx, b, agreed)
		return err
	})
	a.Promised = k.member.Promised()
	return a, err
}

// recordBeat records a beat and postpones the election, even if this node cannot follow the primary now.
func (k *keeper) recordBeat(b rule.Beat, a rule.Ack) {
	now := time.Now()
	k.postpone(now)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.primary.Epoch != b.Epoch || k.primary.Node != b.Node {
		k.log.Info("received a beat of another primary", "node", b.Node, "epoch", b.Epoch)
	}
	k.lastBeat, k.primary, k.lag, k.inSync = now, b, max(0, b.Position.Seq-a.Position.Seq), a.InSync
}

// views asks both other nodes for their views, at the same time, because one of them may hang.
func (k *keeper) views(ctx context.Context) (views []rule.View) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var keepers, nodes []string
	for _, node := range k.others() {
		keepers, nodes = append(keepers, k.config.Keepers[node]), append(nodes, k.config.Nodes[node])
	}
	for i, s := range status.GetAll(ctx, k.client, keepers, nodes) {
		if s.Node == k.others()[i] && s.Shard == k.config.ShardName() {
			views = append(views, s.View())
		}
	}
	return views
}
