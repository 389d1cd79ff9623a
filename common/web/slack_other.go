//go:build !linux

package web

func slacken() {}
