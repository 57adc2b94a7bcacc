import time,torch
from models.demo_asr.train import *
torch.set_num_threads(2)
m=Material([CORPUS],Phones(),0)
v=usual_tokens(m.all_lines(200)); m.known=set(v)
m.speak_stock(200)
s=Student(v); s.take_over(Path('/work/shared/asr/start.pt'))
T=Training(m,s)
t=time.time(); T.fit(); print("fit",time.time()-t)
for st in (FURTHER[0],FURTHER[1]):
  T._choose_learners(st)
  for g in range(8):
    t=time.time(); b=T.draw(st); t1=time.time(); n={}; T._learn(b,st,1e-6,n); print(t1-t,b.mel is None,b.labels.shape,time.time()-t1,(b.targets>=0).sum().item(),{k:round(v[0],3) for k,v in n.items()},flush=True)
