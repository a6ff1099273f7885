// The initial content of GraphiQL: one operation of each kind that works on any host. A test checks it against the
// schema.

export const EXAMPLE = `# Outboard's GraphQL API. Put the cursor into an operation and press Ctrl-Enter to run it; Ctrl-Space completes.
# The book at the left documents every type and field. More: /docs/api

# All pipelines: whether they are on air, and why not.
query Pipelines {
  pipelines {
    id
    desired
    status {
      phase
      onAir
      health { state reason since }
      destinations { url state onAir backlogMs }
      counters { batches processed original }
    }
  }
}

# The same, live: runs until you stop it.
subscription Live {
  pipelineStatus {
    pipelineId
    onAir
    health { state reason }
  }
}

# Give the id as a variable: {"id": "default:demo"}
mutation Stop($id: ID!) {
  stopPipeline(id: $id, mode: DRAIN) {
    id
    desired
  }
}
`;
