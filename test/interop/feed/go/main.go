// Drives the Go verifier: through vectors of the feed, or live.
//
//	follow-feed vectors test/vectors/feed/*.json
//	ISSUER=… AUDIENCE=… SERVICE_KEY=… MODE=required MAX_AGE=15 follow-feed live
//
// live reads {"id", "token"} a line and answers {"id", "code"}, "ok" or the code of the refusal; {"id", "health": true}
// is answered with {"id", "health"}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	mintmark "example.com/mintmark-verifier"
)

type step struct {
	At, Mono, SentMono float64
	Answer             *string
	Accepted           bool
	Cursor             *string
	Generation         *float64
	JwksAnswer         json.RawMessage
	Position           string
	Token              *string
	Verdict            string
}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 2 && os.Args[1] == "live" {
		live()
		return
	}
	for _, path := range os.Args[2:] {
		drive(path)
	}
}

func drive(path string) {
	var vector struct {
		Title, Issuer, Audience, Mode string
		MaxAgeSeconds                 float64
		Jwks                          json.RawMessage
		Steps                         []step
	}
	text, err := os.ReadFile(path)
	check(err)
	check(json.Unmarshal(text, &vector))
	maxAge := time.Duration(vector.MaxAgeSeconds * 1e9)
	verifier, err := mintmark.New(vector.Issuer, vector.Audience, "", vector.Mode, maxAge)
	check(err)
	verifier.SetKeys(vector.Jwks, "", vector.Steps[0].Mono)
	faults := []string{}
	for index, one := range vector.Steps {
		if fault := take(verifier, one); fault != "" {
			faults = append(faults, fmt.Sprintf("%d: %s", index, fault))
		}
	}
	say(map[string]any{"title": vector.Title, "steps": len(vector.Steps), "faults": faults})
}

// take says what a step asks for that the verifier does not do, or "".
func take(verifier *mintmark.Verifier, one step) string {
	switch {
	case one.Token != nil:
		verdict := "ok"
		if _, err := verifier.Judge(*one.Token, one.At, one.Mono); err != nil {
			verdict = err.Error()
		}
		if verdict != one.Verdict {
			return verdict + ", not " + one.Verdict
		}
	case one.JwksAnswer != nil:
		if !verifier.SetKeys(one.JwksAnswer, one.Position, one.Mono) {
			return "no JWK Set"
		}
	case one.Answer != nil:
		accepted, outcomes := true, []string{}
		for _, line := range strings.Split(*one.Answer, "\n") {
			outcome := verifier.Apply(line, one.SentMono, one.At)
			accepted = accepted && outcome == "accepted"
			outcomes = append(outcomes, outcome)
		}
		said := strings.Join(outcomes, " ")
		if accepted != one.Accepted {
			return fmt.Sprintf("%s, not %v", said, one.Accepted)
		}
		health := verifier.Health()
		if one.Cursor != nil && *one.Cursor != health["after"] {
			return fmt.Sprintf("%s: cursor %v, not %s", said, health["after"], *one.Cursor)
		}
		if one.Generation != nil && *one.Generation != health["generation"] {
			return fmt.Sprintf("%s: generation %v, not %v", said, health["generation"], *one.Generation)
		}
	default:
		return "an unknown step"
	}
	return ""
}

func live() {
	maxAge, err := strconv.ParseFloat(or(os.Getenv("MAX_AGE"), "15"), 64)
	check(err)
	env := os.Getenv
	mode := or(env("MODE"), "preferred")
	verifier, err := mintmark.New(env("ISSUER"), env("AUDIENCE"), env("SERVICE_KEY"), mode, time.Duration(maxAge*1e9))
	check(err)
	go verifier.Run(context.Background())
	for tries := 0; verifier.Health()["keys"] == 0 && tries < 100; tries++ {
		time.Sleep(100 * time.Millisecond)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asked struct {
			ID     any
			Token  string
			Health bool
		}
		check(json.Unmarshal(lines.Bytes(), &asked))
		if asked.Health {
			say(map[string]any{"id": asked.ID, "health": verifier.Health()})
			continue
		}
		code := "ok"
		if _, err := verifier.Verify(asked.Token); err != nil {
			code = err.Error()
		}
		say(map[string]any{"id": asked.ID, "code": code})
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func say(what any) { check(json.NewEncoder(os.Stdout).Encode(what)) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
