// Screens that come later: they say what will be here and what to use until then.
import { Link } from "@tanstack/react-router";
import { Empty, Page } from "../parts/basics";

export function Exercises() {
  return (
    <Page title="Exercises">
      <Empty title="No exercise has been held yet">
        <p>
          Here you will play a scenario against the clock, with devices that only pretend, and get a score sheet: time
          in each stage beside that of real incidents, hand-offs that were missed, questions nobody answered.
        </p>
        <p>Until then, the demonstration plays a real intrusion from the first alert to the release of a block:</p>
        <pre className="code">stanch demo</pre>
      </Empty>
    </Page>
  );
}

export function Reviews() {
  return (
    <Page title="Reviews">
      <Empty title="No review has been written yet">
        <p>
          After an incident is resolved, its review will stand here, filled in from the journal: the timeline, each
          stage against its target, what was done by hand, and what a playbook could do next time.
        </p>
        <p>
          The material is there already: open a resolved incident and export its story, or look at where the time goes
          on the <Link to="/clock">response clock</Link>.
        </p>
      </Empty>
    </Page>
  );
}
