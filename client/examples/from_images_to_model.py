# %% [markdown]
# From a folder of images to a trained model and an export
#
# `LOUPE_URL` and `LOUPE_TOKEN` say where and as whom; the folder has one folder of images for each class.

# %%
import sys
from pathlib import Path

from loupe_client import Loupe

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "images")
loupe = Loupe()

# %% Make a project, and send the images
classes = sorted(each.name for each in folder.iterdir() if each.is_dir())
project = loupe.create_project(f"Example {folder.name}", "multiclass", classes, assist_mode="suggest")
project.upload(folder)
project.wait_for_images()
project.start()

# %% Answer what people would be asked: here, by the names of the folders
truth = {each.id: each.path.split("/")[0] for each in project.items(state="unlabeled")}
answered = 0
for page in project.pages(size=9):
    page.submit({each["id"]: truth[each["id"]] for each in page.items}, seconds=2)
    answered += len(page.items)
    if answered >= 90:
        break

# %% Train, and see how good it is
project.train()
print(project.facts()["model"])

# %% Take the labels home
print(project.export("labels.coco.json"))
