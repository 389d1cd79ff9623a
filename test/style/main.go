// Command style reports Go and Lua files of more than 300 lines, and Go lines of more than 120 characters.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"checkout/common/version"
)

const (
	maxLines  = 300
	maxLength = 120
)

func main() {
	err := version.ParseFlags(flag.NewFlagSet("style", flag.ContinueOnError), os.Args[1:], os.Stdout)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	found := 0
	err = filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		if extension := filepath.Ext(path); extension == ".go" || extension == ".lua" {
			violations, err := check(path, extension == ".go")
			found += violations
			return err
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || found > 0 {
		os.Exit(1)
	}
}

// check prints the violations of one file and returns their number.
func check(path string, isGo bool) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	violations := 0
	if len(lines) > maxLines {
		fmt.Printf("%s has %d lines, more than %d\n", path, len(lines), maxLines)
		violations++
	}
	for i, line := range lines {
		if length := utf8.RuneCountInString(line); isGo && length > maxLength {
			fmt.Printf("%s:%d has %d characters, more than %d\n", path, i+1, length, maxLength)
			violations++
		}
	}
	return violations, nil
}
