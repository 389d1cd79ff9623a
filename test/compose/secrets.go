package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// checkSecret looks for a password in all that an image is made of: its layers, how they were made, and what it is configured with.
// The images were built, and run, with it in the environment.
func (r *run) checkSecret(ctx context.Context, password string) error {
	for _, name := range images {
		image := r.project.image(name)
		for _, what := range [][]string{{"image", "inspect", image}, {"history", "--no-trunc", "--format", "{{json .}}", image}} {
			text, err := docker(ctx, what...)
			if err != nil {
				return err
			}
			if strings.Contains(text, password) {
				return fmt.Errorf("docker %s tells the password", strings.Join(what, " "))
			}
		}
		cmd := exec.CommandContext(ctx, "docker", "save", image)
		saved, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		searched, where, err := searchImage(saved, password)
		_, rest := io.Copy(io.Discard, saved)
		if err := errors.Join(err, rest, cmd.Wait()); err != nil {
			return fmt.Errorf("docker save %s: %w", image, err)
		}
		if where != "" {
			return fmt.Errorf("the image of %s holds the password, in %s", name, where)
		}
		if searched < 1<<20 {
			return fmt.Errorf("the image of %s was not searched: only %d bytes of it", name, searched)
		}
	}
	return nil
}

// searchImage looks for a word in what docker save has written: in every file of it, unpacked if it is packed. It tells where the
// word is first, if it is anywhere, and how many bytes it has looked at.
func searchImage(saved io.Reader, word string) (searched int64, where string, err error) {
	for files := tar.NewReader(saved); ; {
		file, err := files.Next()
		if err == io.EOF {
			return searched, "", nil
		}
		if err != nil {
			return searched, "", err
		}
		content, err := unpacked(bufio.NewReader(files))
		if err != nil {
			return searched, "", fmt.Errorf("%s: %w", file.Name, err)
		}
		n, found, err := search(content, []byte(word))
		searched += n
		if err != nil {
			return searched, "", fmt.Errorf("%s: %w", file.Name, err)
		}
		if found {
			return searched, file.Name, nil
		}
	}
}

// unpacked is what a layer holds, however it is kept.
func unpacked(layer *bufio.Reader) (io.Reader, error) {
	switch start, _ := layer.Peek(4); {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		return gzip.NewReader(layer)
	case bytes.Equal(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("packed by zstd, in which this cannot search")
	}
	return layer, nil
}

// search reads to the end, or until it has found a word.
func search(r io.Reader, word []byte) (searched int64, found bool, err error) {
	block := make([]byte, 1<<16+len(word))
	kept := 0
	for {
		n, err := r.Read(block[kept:])
		searched += int64(n)
		if bytes.Contains(block[:kept+n], word) {
			return searched, true, nil
		}
		if err == io.EOF {
			return searched, false, nil
		}
		if err != nil {
			return searched, false, err
		}
		end := kept + n
		kept = min(len(word)-1, end) // it may lie across two blocks
		copy(block, block[end-kept:end])
	}
}
