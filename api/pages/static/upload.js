// Uploading recordings: each goes to its order as it is, one after the other, with its progress.
const kinds = { first_contact: "先行联系", reply: "热线回复" };

async function matched(form, files) {
  if (form.dataset.order)
    return files.map((file) => ({ name: file.name, order_id: form.dataset.order, kind: form.elements.kind.value }));
  const answer = await fetch("/orders/match", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ names: files.map((file) => file.name) }),
  });
  if (!answer.ok) throw new Error("没能核对文件名，请刷新后再试。");
  return answer.json();
}

function send(file, place, told) {
  const address = new URL(`/api/v1/orders/${encodeURIComponent(place.order_id)}/recordings`, location.origin);
  address.searchParams.set("file_name", file.name);
  if (place.kind) address.searchParams.set("kind", place.kind);
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => told(`上传中 ${Math.round((100 * event.loaded) / event.total)}%`);
    request.onload = () => {
      const body = JSON.parse(request.responseText || "{}");
      if (request.status === 201) told("已收到，排队检查", "met", body.recording.id);
      else if (request.status === 200) told("早已上传过", "", body.recording.id);
      else told(body.detail || "没有传成，请再试一次", "missing");
      done(request.status < 300);
    };
    request.onerror = () => { told("网络中断，请再试一次", "missing"); done(false); };
    request.send(file);
  });
}

function row(list, file, place) {
  const line = document.createElement("p");
  line.className = "small";
  line.innerHTML = '<span class="name"></span> <span class="soft place"></span> <span class="chip"></span> <a hidden>查看</a>';
  line.querySelector(".name").textContent = file.name;
  line.querySelector(".place").textContent = place.order_id ? `→ ${place.order_id} ${kinds[place.kind] ?? ""}` : "";
  list.append(line);
  const chip = line.querySelector(".chip");
  return (text, tone = "", id = "") => {
    chip.textContent = text;
    chip.className = `chip ${tone}`;
    if (id) { const link = line.querySelector("a"); link.href = `/calls/${id}`; link.hidden = false; }
  };
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.upload");
  if (!form) return;
  event.preventDefault();
  const list = form.querySelector(".uploads");
  const button = form.querySelector("button");
  const files = [...form.elements.files.files];
  list.replaceChildren();
  if (!files.length) { list.textContent = "请先选择录音文件。"; return; }
  button.disabled = true;
  try {
    const places = await matched(form, files);
    let all = true;
    for (const [i, file] of files.entries()) {
      const told = row(list, file, places[i]);
      if (!places[i].order_id) { told("文件名里没有已登记的工单编号", "missing"); all = false; continue; }
      told("等待");
      all = (await send(file, places[i], told)) && all;
    }
    form.dataset.done = all ? "all" : "some";
    if (all && form.dataset.order) location.reload();
  } catch (error) {
    list.textContent = error.message;
  }
  button.disabled = false;
});
