package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// contradictions checks that the chart refuses values that contradict the objects in the cluster.
func (r *run) contradictions(ctx context.Context) error {
	for values, reason := range map[string]string{
		grown + ",redis.storage.size=3Gi":    "Resize the volumes",
		grown + ",redis.storage.class=other": "restore a backup to move the data",
		grown + ",redis.flavour=valkey":      "cannot read its files",
		grown + ",systemName=other":          "the data belongs to the system " + release,
	} {
		if err := r.upgrade(ctx, values); err == nil || !strings.Contains(err.Error(), reason) {
			return errors.Join(fmt.Errorf("upgrade with %s: want an error that contains %q", values, reason), err)
		}
	}
	_, err := r.chart(ctx, "install", "second", chartDir)
	if err == nil || !strings.Contains(err.Error(), "already contains the release "+release) {
		return errors.Join(errors.New("install a second release: want the error that the namespace already contains "+
			"the release"), err)
	}
	return nil
}
