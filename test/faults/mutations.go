package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"checkout/test/stack"
)

// mutations is the scenario of deliberate mistakes.
var mutations = scenario{
	name: "mutations", about: "each mistake that the protocol names is made on purpose, and caught by a short run in which fail points bring about " +
		"what the rule is there for; the same run finds nothing wrong with the product as it is. Both have shorter times: a lease of 1 s, a deadline of 3 s",
	run: runMutations, sizes: []stack.Size{{Instances: 2, Shards: 2}},
}

const (
	stages     = 4 // drills at the same time: they mostly wait
	drillTries = 3 // a drill that did not come to what is meant, or to what a mutant does wrong, is played again
)

// outcome is what became of a drill.
type outcome struct {
	broken []string
	err    error
	took   time.Duration
}

// runMutations plays every drill on the product, and on its mutants.
func runMutations(ctx context.Context, tr *trial) error {
	product, err := productInShort()
	if err != nil {
		return err
	}
	drills := map[*drill]*outcome{}
	caught := make([]*outcome, len(mutants))
	var playing sync.WaitGroup
	free := make(chan struct{}, stages)
	play := func(do func()) {
		playing.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			do()
		})
	}
	for i, m := range mutants {
		if !strings.Contains(m.name+" "+m.drill.name, tr.options.only) {
			continue
		}
		source, err := product.edited(m.edits)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if drills[m.drill] == nil {
			right := &outcome{}
			drills[m.drill] = right
			play(func() { *right = tr.prove(ctx, m.drill, product) })
		}
		caught[i] = &outcome{}
		play(func() { *caught[i] = tr.catch(ctx, m, source) })
	}
	playing.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return tr.judgeMutants(drills, caught)
}

// prove plays a drill on the product: nothing may be broken.
func (tr *trial) prove(ctx context.Context, d *drill, product sources) (o outcome) {
	defer tr.inject("drills", d.name)()
	began := time.Now()
	for range drillTries {
		if o.broken, o.err = tr.perform(ctx, d, product); o.err == nil || ctx.Err() != nil {
			break
		}
	}
	o.took = time.Since(began)
	return o
}

// catch plays a mutant's drill until it is caught: what the mistake leads to may depend on who is faster.
func (tr *trial) catch(ctx context.Context, m mutant, source sources) (o outcome) {
	defer tr.inject("mutants", m.name)()
	began := time.Now()
	for range drillTries {
		o.broken, o.err = tr.perform(ctx, m.drill, source, m.redisArgs...)
		if o.err == nil && strings.Contains(strings.Join(o.broken, "\n"), m.want) || ctx.Err() != nil {
			break
		}
	}
	o.took = time.Since(began)
	return o
}

// judgeMutants reports who was caught. A mutant that was not is a violation, and so is what a drill has found wrong with the product.
func (tr *trial) judgeMutants(drills map[*drill]*outcome, caught []*outcome) error {
	var errs []error
	for d, right := range drills {
		if right.err != nil {
			errs = append(errs, fmt.Errorf("%s, on the product: %w", d.name, right.err))
		}
		for _, broken := range right.broken {
			tr.violate("%s, on the product: %s", d.name, broken)
		}
	}
	var b strings.Builder
	b.WriteString(row("mistake", "run", "caught by", "took") + row("---", "---", "---", "---:"))
	for i, m := range mutants {
		if caught[i] == nil {
			continue
		}
		o, by := caught[i], "**not caught**"
		found := strings.Join(o.broken, "\n")
		switch at := strings.Index(found, m.want); {
		case o.err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", m.name, o.err))
		case at < 0:
			tr.violate("the mistake %q was not caught by %q, which found: %s", m.name, m.drill.name, found)
		default:
			by = sentence(found, at)
			tr.count("mistakes caught", 1)
		}
		b.WriteString(row(m.name, m.drill.name, by, o.took.Round(100*time.Millisecond).String()))
	}
	tr.count("runs of the product without a finding", len(drills))
	tr.note("%s", strings.TrimSuffix(b.String(), "\n"))
	return errors.Join(errs...)
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// sentence is the line of a text that holds what is at a place, without ids and bars.
func sentence(text string, at int) string {
	line := text[strings.LastIndexByte(text[:at], '\n')+1:]
	line, _, _ = strings.Cut(line, "\n")
	return strings.ReplaceAll(idPattern.ReplaceAllString(line, "…"), "|", " ")
}
