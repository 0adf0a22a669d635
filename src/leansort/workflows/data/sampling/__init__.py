"""What `leansort data sample` draws: scenes, or a belt as a video. May import the room around it."""
